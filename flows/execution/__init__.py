"""Executors of stages: this machine or a Ray cluster."""
