"""Image augmentation inside of TensorFlow's graph."""
