"""Packages become the files of an environment."""
