"""What learns from the faces, how well it does, and how people use it."""
