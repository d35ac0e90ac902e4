"""A lock becomes an environment on disk."""
