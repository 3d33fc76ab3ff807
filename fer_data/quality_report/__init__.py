"""The data-quality page."""
