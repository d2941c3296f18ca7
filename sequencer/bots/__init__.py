"""Bots: what trades on the devnet when nobody else does."""
