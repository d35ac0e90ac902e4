"""What is missing, made into conda packages."""
