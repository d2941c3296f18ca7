"""
Errors of the bridge.

    BridgeError
      L1Error                what L1, or the way to it, did not do
        L1UnreachableError   no answer, or one that is not JSON-RPC: try again later
        L1RpcError           L1 answered with an error; code, message, data
      ContractError          a contract reverted, with its custom error decoded
      TransactionError       a transaction of ours did not land
        NonceTakenError      another one landed with its nonce
        NonceGapError        the nonces before it are gone from L1 (reorganisation)
        FundsError           the key cannot pay for it
      DerivationError        L1's logs and calldata contradict each other
      DeploymentError        the deployment file does not fit

Each has a `slug`, stable for machines; the message tells a person what to do.
"""

from __future__ import annotations

from typing import Any


class BridgeError(Exception):
    """Anything that the bridge raises."""

    slug = "bridge"


class L1Error(BridgeError):
    """L1, or the way to it, did not do what was asked."""

    slug = "l1"


class L1UnreachableError(L1Error):
    """There was no usable answer."""

    slug = "l1_unreachable"


class L1RpcError(L1Error):
    """L1 answered with an error."""

    slug = "l1_rpc"

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"L1 refused {method}: {message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


class ContractError(BridgeError):
    """A contract reverted."""

    slug = "contract"

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        listed = ", ".join(f"{key}={_shown(value)}" for key, value in fields.items())
        super().__init__(f"{name}({listed})")
        self.name = name
        self.fields = fields


class TransactionError(BridgeError):
    """A transaction of ours did not land."""

    slug = "transaction"


class NonceTakenError(TransactionError):
    """Another transaction of the same key landed with the nonce."""

    slug = "nonce_taken"


class NonceGapError(TransactionError):
    """Transactions before this one are gone from L1."""

    slug = "nonce_gap"


class FundsError(TransactionError):
    """The key cannot pay."""

    slug = "funds"


class DerivationError(BridgeError):
    """What L1 says contradicts itself: do not trust this endpoint."""

    slug = "derivation"


class DeploymentError(BridgeError):
    """The deployment file is missing, malformed, or belongs to another L1."""

    slug = "deployment"


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
