"""
Nesting: how deep JSON from outside is, before a decoder recurses into it.

In:    bytes that may be JSON.
Out:   whether they nest deeper than is allowed.

The interpreter's own limit does not protect: py-evm raises it beyond what the stack holds, and
then 100 kB of brackets end the process.
Holds: never answers "no" where a decoder would go deeper before it meets a mistake.
"""

from __future__ import annotations

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")


def is_deeper(body: bytes, limit: int) -> bool:
    """Whether brackets outside of strings nest deeper than `limit`."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    if b"\\" in body:  # without escapes each quote begins or ends a string
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(body.split(b'"')[::2])
    depth = 0
    for bracket in outside.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > limit:
            return True
        if depth < 0:
            return False  # no JSON: the decoder stops here
    return False
