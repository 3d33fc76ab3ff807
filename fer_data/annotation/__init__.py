"""Keeps people's decisions about labels, and applies them."""
