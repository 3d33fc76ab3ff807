"""What the longer commands do."""
