"""The stacking ensemble on frozen members."""
