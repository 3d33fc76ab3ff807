"""Publishes reports, and holds back runs that got worse."""
