"""Draws synthetic faces and archives with planted errors."""
