"""What all model packages share: settings, input pipeline, devices, saved models."""
