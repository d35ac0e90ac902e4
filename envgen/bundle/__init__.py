"""Bundles: locks, and every file that they need, as one OCI layout for machines without a network."""
