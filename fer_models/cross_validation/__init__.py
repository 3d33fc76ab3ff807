"""Cross-validation: out-of-fold predictions and feature-space neighbors."""
