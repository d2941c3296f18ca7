"""
Index of the embedded L1: blocks, transactions, receipts and logs by every key that clients ask for.

In:    each block once, when it is mined, with its receipts; `drop` of the newest block on a revert.
Out:   rows ready for JSON.
Holds: a lookup is one read; a search for logs reads the logs of the range and nothing else
       (py-evm's own searches walk back over whole blocks).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from bridge.l1.devnet.store import Store

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction is, and its bytes."""

    block: int
    index: int
    sender: bytes
    raw: bytes


class Index:
    """Rows of the index in `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_block(self, number: int, block_hash: bytes, row: Row) -> None:
        """Add a block; `row` names its transactions by hash."""
        self._store.put("blocks", _number(number), msgspec.json.encode(row))
        self._store.put("hashes", block_hash, _number(number))

    def add_transaction(self, tx_hash: bytes, place: Place, receipt: Row) -> None:
        """Add a mined transaction, its receipt and the receipt's logs."""
        head = _number(place.block) + place.index.to_bytes(4, "big") + place.sender
        self._store.put("transactions", tx_hash, head + place.raw)
        self._store.put("receipts", tx_hash, msgspec.json.encode(receipt))
        for log in receipt["logs"]:
            key = _number(place.block) + int(log["logIndex"], 16).to_bytes(4, "big")
            self._store.put("logs", key, msgspec.json.encode(log))

    def drop_block(self, number: int) -> None:
        """Remove the newest block and everything in it."""
        row = self.block(number)
        assert row is not None, f"block {number} is not in the index"
        for text in row["transactions"]:
            self._store.delete("transactions", bytes.fromhex(text[2:]))
            self._store.delete("receipts", bytes.fromhex(text[2:]))
        for key, _ in list(self._store.scan("logs", _number(number), _number(number + 1))):
            self._store.delete("logs", key)
        self._store.delete("hashes", bytes.fromhex(row["hash"][2:]))
        self._store.delete("blocks", _number(number))
        self._store.delete("headers", _number(number))

    def block(self, number: int) -> Row | None:
        """Return a block, or None."""
        return _decoded(self._store.get("blocks", _number(number)))

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with that hash, or None."""
        found = self._store.get("hashes", block_hash)
        return None if found is None else int.from_bytes(found, "big")

    def receipt(self, tx_hash: bytes) -> Row | None:
        """Return a receipt, or None."""
        return _decoded(self._store.get("receipts", tx_hash))

    def place(self, tx_hash: bytes) -> Place | None:
        """Return where a transaction is, or None."""
        found = self._store.get("transactions", tx_hash)
        if found is None:
            return None
        return Place(
            block=int.from_bytes(found[:8], "big"),
            index=int.from_bytes(found[8:12], "big"),
            sender=found[12:32],
            raw=found[32:],
        )

    def logs(self, first: int, last: int) -> Iterator[Row]:
        """Yield the logs of blocks first..last in order."""
        for _, value in self._store.scan("logs", _number(first), _number(last + 1)):
            yield msgspec.json.decode(value)


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _decoded(value: bytes | None) -> Row | None:
    return None if value is None else msgspec.json.decode(value)
