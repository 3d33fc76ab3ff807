"""The Prefect flow: tasks, deployments, notifications."""
