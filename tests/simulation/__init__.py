"""Simulations: runs that are too long for the unit tests, each with one JSON object at the end."""
