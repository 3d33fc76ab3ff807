"""Programs that begin as copies of one process, which has imported TensorFlow and DVC already."""
