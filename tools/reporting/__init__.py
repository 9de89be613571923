"""Reports for people who decide: every number names the record that it was computed from."""
