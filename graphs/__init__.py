"""In what order things happen: language to plan, plan to steps, steps to receipts."""
