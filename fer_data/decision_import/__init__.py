"""Imports decisions from Label Studio or CSV."""
