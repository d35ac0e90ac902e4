"""Wheels, Debian packages and recipes become conda packages."""
