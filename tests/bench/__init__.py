"""Speed of single parts: `python -m tests.bench`; no gate on absolute figures."""
