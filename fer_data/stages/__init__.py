"""What all stages share: their command line, `params.yaml`, and inputs that change meanwhile."""
