"""Laws: what must hold for any traffic."""
