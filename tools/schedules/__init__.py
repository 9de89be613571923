"""Plans that are carried out later: on a clock, at a moment, or when a job has ended."""
