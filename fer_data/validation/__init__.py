"""Validates the faces: expectations, and what an accepted archive was like."""
