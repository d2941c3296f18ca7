"""Tests: may import everything; nothing imports them."""
