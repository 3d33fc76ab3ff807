"""Imports decisions made elsewhere: Label Studio, CSV."""
