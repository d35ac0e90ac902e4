"""Packages of a lock come into the store: fetched, extracted, converted, built."""
