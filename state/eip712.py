"""
Typed messages: oracle reports, commit groups.

In:  the message, chain id of the L2, address of the Inbox.
Out: the digest that is signed; a report with its signature.

Holds: docs/formats.md §6.
Not here: transactions (`state.tx`).
"""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey
from eth_hash.auto import keccak

from state.tx import compact_signature, sign_digest

_DOMAIN_TYPE = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_NAME = keccak(b"Novation")
_VERSION = keccak(b"1")
_REPORT_TYPE = keccak(b"Report(uint32 feed,uint64 priceE9,uint64 timeMs)")
_COMMIT_GROUP_TYPE = keccak(
    b"CommitGroup(uint64 term,uint64 firstSeq,uint32 count,bytes32 receiptsRoot,bytes32 previous)"
)


@dataclass(frozen=True, slots=True)
class Report:
    """An oracle report; `signature` is EIP-2098."""

    feed: int
    price_e9: int
    time_ms: int
    signature: bytes = bytes(64)


@dataclass(frozen=True, slots=True)
class CommitGroup:
    """Receipts that became durable together."""

    term: int
    first_seq: int
    count: int
    receipts_root: bytes
    previous: bytes


def domain_separator(chain_id: int, inbox: bytes) -> bytes:
    """What ties a message to one L2 and one Inbox."""
    return keccak(_DOMAIN_TYPE + _NAME + _VERSION + _uint(chain_id) + inbox.rjust(32, b"\0"))


def report_digest(report: Report, chain_id: int, inbox: bytes) -> bytes:
    """The digest that a reporter signs."""
    message = _REPORT_TYPE + _uint(report.feed) + _uint(report.price_e9) + _uint(report.time_ms)
    return _digest(message, chain_id, inbox)


def commit_group_digest(group: CommitGroup, chain_id: int, inbox: bytes) -> bytes:
    """The digest that the sequencer signs."""
    numbers = _uint(group.term) + _uint(group.first_seq) + _uint(group.count)
    message = _COMMIT_GROUP_TYPE + numbers + group.receipts_root + group.previous
    return _digest(message, chain_id, inbox)


def sign_report(
    private_key: bytes | PrivateKey, report: Report, chain_id: int, inbox: bytes
) -> Report:
    """The same report with the reporter's signature."""
    signature = sign_compact(private_key, report_digest(report, chain_id, inbox))
    return Report(report.feed, report.price_e9, report.time_ms, signature)


def sign_compact(private_key: bytes | PrivateKey, digest: bytes) -> bytes:
    """Sign a digest: 64 bytes of EIP-2098."""
    key = PrivateKey(private_key) if isinstance(private_key, bytes) else private_key
    return compact_signature(*sign_digest(key, digest))


def _digest(message: bytes, chain_id: int, inbox: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain_separator(chain_id, inbox) + keccak(message))


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")
