"""The `ferflow` command line."""
