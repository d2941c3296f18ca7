"""
What a JSON-RPC method of the embedded L1 answers instead of a result; texts and codes are geth's.

In:    a code, a text, perhaps data.
Out:   the `error` member of the reply.
"""

from __future__ import annotations

from typing import Any

PARSE = -32700
REQUEST = -32600
METHOD = -32601
PARAMS = -32602
SERVER = -32000
LIMIT = -32005
REVERTED = 3


class RpcFailureError(Exception):
    """A refusal that the caller gets to read."""

    def __init__(self, message: str, code: int = SERVER, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """Return the `error` member."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def params_failure(text: str) -> RpcFailureError:
    """Return the refusal of malformed parameters."""
    return RpcFailureError(text, PARAMS)
