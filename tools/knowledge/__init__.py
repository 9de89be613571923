"""Documents that people ask questions of: ingesting, searching, answering with citations."""
