"""Serves the demo app and its API."""
