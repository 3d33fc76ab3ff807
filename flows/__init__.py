"""Schedules and runs the stages, on this machine or a cluster, and publishes the reports."""
