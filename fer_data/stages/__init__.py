"""The framework of a stage: command line, settings, and the check of changed inputs."""
