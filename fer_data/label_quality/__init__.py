"""Scores labels and finds suspected mislabels."""
