"""The commands of `pilothouse`; each imports what it needs when it runs."""
