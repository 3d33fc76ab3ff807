"""What a face and its label are, and how they reach TFRecords."""
