"""What a face and its label are, and how they reach TFRecords."""

from fer_data import light_keras

light_keras.install()
