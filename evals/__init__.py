"""Automated evaluation: data sets, tasks, scorers and the report."""
