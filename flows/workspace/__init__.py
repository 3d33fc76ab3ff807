"""A workspace and its DVC graph: create it, run its stages, watch over the processes."""
