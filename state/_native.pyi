"""The native core of `state`, built from `state/native` (Rust)."""

def version() -> str:
    """Return the version of the native module, that of the distribution."""
