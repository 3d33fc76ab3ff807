"""Splits the faces: duplicate groups, leaks, validation and folds."""
