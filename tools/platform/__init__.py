"""The platform about itself: help, users, approvals, audit, undo, jobs and receipts."""
