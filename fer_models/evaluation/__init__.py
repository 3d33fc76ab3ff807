"""Evaluates a model on `validation` and `test`."""
