"""The demo app and its API."""
