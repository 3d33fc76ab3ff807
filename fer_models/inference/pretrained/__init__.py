"""The model that comes with the package, and how a model is made small enough for it."""
