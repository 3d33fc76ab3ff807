"""The stacking ensemble: member predictions, combiners, and their comparison."""
