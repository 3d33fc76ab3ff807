"""What a face and its label are, and how they reach TFRecords."""

from fer_data import tensorflow_start

tensorflow_start.install()
