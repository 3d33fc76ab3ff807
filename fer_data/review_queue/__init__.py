"""Queues the faces that people should look at first."""
