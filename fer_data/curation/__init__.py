"""Curates the training data: final labels, class balance, TFRecords."""
