"""The page about the models: charts, changes, significance."""
