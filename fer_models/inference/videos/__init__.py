"""Predicts on videos: tracks faces from frame to frame, and writes what they express."""
