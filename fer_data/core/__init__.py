"""What all packages share: columns, errors, files, tables, the face store, TFRecords."""
