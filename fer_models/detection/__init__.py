"""Finds and aligns faces in images."""
