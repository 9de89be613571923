"""The tests; a regular package, because one of the dependencies installs a `tests` of its own."""
