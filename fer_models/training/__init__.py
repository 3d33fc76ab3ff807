"""Trains a network: loop, callbacks, checkpoints that resume."""
