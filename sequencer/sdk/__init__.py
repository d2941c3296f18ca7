"""
SDK: a small typed client of the exchange, for bots, tools and tests.

`Client` speaks JSON-RPC to a node, `Account` signs and sends envelopes, `deposit` funds accounts
through L1; the operations are `Place`, `Cancel`, `CancelById`, `Replace`, `CancelAll`, `Withdraw`.
"""

from sequencer.sdk.account import Account
from sequencer.sdk.client import Client, NodeUnreachableError, RpcError
from sequencer.sdk.signing import Key, Signed
from state.tx import Cancel, CancelAll, CancelById, Operation, Place, Replace, Withdraw

__all__ = [
    "Account",
    "Cancel",
    "CancelAll",
    "CancelById",
    "Client",
    "Key",
    "NodeUnreachableError",
    "Operation",
    "Place",
    "Replace",
    "RpcError",
    "Signed",
    "Withdraw",
]
