"""When and where the stages run."""
