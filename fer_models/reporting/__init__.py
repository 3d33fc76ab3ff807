"""Reports on the models: a page of charts, changes and tests, and a file of metrics."""
