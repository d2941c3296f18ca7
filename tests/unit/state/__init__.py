"""Tests of the Python half of the state."""
