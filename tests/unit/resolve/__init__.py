"""Tests of `envgen.resolve`."""
