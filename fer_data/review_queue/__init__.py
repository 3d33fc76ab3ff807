"""Queues the faces of the lowest label quality for review."""
