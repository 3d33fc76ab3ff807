"""Simulates people who decide on faces: what their decisions do to labels and models."""
