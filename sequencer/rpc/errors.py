"""
Errors of the interface: the only place that knows codes.

In:  refusals of the protocol (a number, formats §9) and everything else that can go wrong.
Out: `RpcError` with code, message and `data` (`reason`, and where it helps `param`, `hint`).

Codes: JSON-RPC's own; EIP-1474's -32000 with geth's texts, which clients match, -32001 not found,
-32002 not ready, -32003 rejected, -32005 limit; 3 = reverted call.
Holds: one row per reason; every error names its reason by slug.
Not here: why something is refused (`state.errors`, docs/formats.md §9).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from state import errors as protocol

PARSE = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
INVALID_INPUT = -32000
NOT_FOUND = -32001
NOT_READY = -32002
REJECTED = -32003
LIMIT = -32005
REVERTED = 3


class RpcError(Exception):
    """An answer that says why there is no result."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Refused:
    """An input that was not taken: the reason's number, and figures that explain it."""

    reason: int
    figures: dict[str, int | str] | None = None


# Slug -> (code, message, hint). geth's words where clients look for them; what is not listed
# is -32003 with the protocol's own words and hint.
_ROWS: dict[str, tuple[int, str, str]] = {
    "malformed": (
        INVALID_INPUT,
        "malformed transaction",
        "send the signed transaction as 0x-prefixed RLP, type 0 or 2",
    ),
    "wrong_chain_id": (
        INVALID_INPUT,
        "invalid chain id for signer",
        "sign for the chain id that eth_chainId answers",
    ),
    "wrong_recipient": (
        REJECTED,
        "transactions go to the exchange address only",
        "send to 0x000000000000000000000000000000004e4f5641",
    ),
    "value_not_zero": (
        REJECTED,
        "the chain has no native coin: value must be 0",
        "deposit and withdraw through the vault on L1",
    ),
    "access_list_not_empty": (REJECTED, "access lists are not used here", "leave it empty"),
    "non_canonical_encoding": (
        REJECTED,
        "calldata is not in canonical ABI encoding",
        "no excess bytes, clean padding, known tif and flags; encode with the published ABI",
    ),
    "unknown_selector": (
        REJECTED,
        "no such function",
        "call a function of IExchange",
    ),
    "signature_invalid": (INVALID_INPUT, "invalid sender", "the signature recovers to nobody"),
    "signature_high_s": (
        INVALID_INPUT,
        "invalid transaction v, r, s values",
        "the signature's s must be in the lower half (EIP-2)",
    ),
    "signer_unknown": (
        INVALID_INPUT,
        "insufficient funds for gas * price + value: the signer has no account",
        "deposit through the vault on L1 first",
    ),
    "nonce_too_low": (INVALID_INPUT, "nonce too low", "use eth_getTransactionCount"),
    "nonce_too_high": (
        INVALID_INPUT,
        "nonce too high",
        "nonces are strict and nothing is held back: send the missing ones first",
    ),
    "too_many_operations": (REJECTED, "a batch has 1 to 64 operations", "split the batch"),
    "fee_field_too_large": (REJECTED, "a fee field exceeds 64 bits", "use the node's fee figures"),
    "unsupported_tx_type": (
        INVALID_INPUT,
        "transaction type not supported",
        "use type 0 with EIP-155, or type 2",
    ),
    "not_replay_protected": (
        INVALID_INPUT,
        "only replay-protected (EIP-155) transactions allowed over RPC",
        "sign with the chain id",
    ),
    "margin_insufficient": (
        REJECTED,
        "orders are taken from 10 USD of equity on",
        "deposit through the vault on L1; cancels and withdrawals are always taken",
    ),
    "amount_too_large": (REJECTED, "a withdrawal is below 2^128 token units", "lower the amount"),
}


def _row(reason: type[protocol.ProtocolError]) -> tuple[int, str, str]:
    """The row of a reason; without words for clients, the protocol's own."""
    own = (REJECTED, reason.message.rstrip("."), reason.hint)
    return _ROWS.get(reason.slug, own)


ROWS = {reason.number: _row(reason) for reason in protocol.all_errors()}


def slug(refusal: Refused) -> str:
    """Name of the reason."""
    return protocol.by_number(refusal.reason).slug


def refused(refusal: Refused) -> RpcError:
    """Say why an input was not taken."""
    name = slug(refusal)
    code, message, hint = ROWS[refusal.reason]
    figures = refusal.figures or {}
    if name == "nonce_too_low" and figures:
        message += f": next nonce {figures['account_nonce']}, tx nonce {figures['tx_nonce']}"
    elif name == "nonce_too_high" and figures:
        message += f": tx nonce {figures['tx_nonce']}, next nonce {figures['account_nonce']}"
    return RpcError(code, message, reason=name, number=refusal.reason, hint=hint, **figures)


def parse_error(text: str) -> RpcError:
    """The bytes are not strict JSON."""
    return RpcError(PARSE, f"parse error: {text}", reason="parse_error")


def invalid_request(text: str, **data: Any) -> RpcError:
    """JSON, but not a call."""
    return RpcError(INVALID_REQUEST, f"invalid request: {text}", reason="invalid_request", **data)


def method_not_found(method: str) -> RpcError:
    """No such method."""
    return RpcError(
        METHOD_NOT_FOUND,
        f"the method {method[:64]} does not exist/is not available",
        reason="method_not_found",
    )


def invalid_params(param: str, text: str, hint: str = "") -> RpcError:
    """A parameter is missing or wrong."""
    data: dict[str, Any] = {"reason": "invalid_params", "param": param}
    if hint:
        data["hint"] = hint
    return RpcError(INVALID_PARAMS, f"invalid argument {param}: {text}", **data)


def not_found(what: str) -> RpcError:
    """What was asked for does not exist."""
    return RpcError(NOT_FOUND, f"{what} not found", reason="not_found")


def not_ready(phase: str) -> RpcError:
    """The node cannot take this now."""
    return RpcError(
        NOT_READY,
        f"the node is not live: {phase}",
        reason="not_ready",
        phase=phase,
        retry_after_ms=1_000,
        hint="see /readyz",
    )


def limit(reason: str, text: str, retry_after_ms: int = 0, **data: Any) -> RpcError:
    """A limit is reached; `retry_after_ms` 0 = waiting does not help."""
    if retry_after_ms:
        data["retry_after_ms"] = retry_after_ms
    return RpcError(LIMIT, text, reason=reason, **data)


def body_too_large(maximum: int) -> RpcError:
    """A body or a message over its limit."""
    return limit("body_too_large", f"request too large: at most {maximum} bytes", limit=maximum)


def reverted(text: str) -> RpcError:
    """A call on the exchange that no view answers."""
    return RpcError(REVERTED, f"execution reverted: {text}", reason="reverted")


def internal() -> tuple[RpcError, str]:
    """Ours: an incident id for the log, and no detail for the client."""
    incident = secrets.token_hex(6)
    error = RpcError(
        INTERNAL, f"internal error, incident {incident}", reason="internal", incident=incident
    )
    return error, incident
