"""What yields records: conda channels, the wheel index, recipes, Debian."""
