"""The review app: people decide on labels in the browser."""
