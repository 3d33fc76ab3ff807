"""The networks, and the registry that lists them."""
