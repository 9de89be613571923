"""What every domain stands on: identity, the gate, approvals, receipts, jobs, storage."""
