"""
Undo: what takes stored batches back, while L1 could still refuse or lose them.

In:  a write transaction of the store, in front of or in place of a commit.
Out: rows of old values per batch; the state as it was before one of them.

Holds: `roll_back` is part of the caller's one transaction: all of it, or nothing.
Not here: which batches have to go (`sequencer.displacement`).
"""

from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from state.rows import BlockRow

if TYPE_CHECKING:
    import lmdb

    Transaction: TypeAlias = "lmdb.Transaction[bytes]"
    Table: TypeAlias = "lmdb._Database"

_U64 = Struct(">Q")
_HEAD = Struct(">QQQ")
_HASH = slice(24, 56)


class UndoRow(msgspec.Struct, array_like=True, frozen=True):
    """State before a batch: old values of the leaves it changed (empty = absent), and the head."""

    leaves: list[tuple[bytes, bytes]]
    header: bytes
    root: bytes
    head: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UndoRow)
_BLOCK = msgspec.msgpack.Decoder(BlockRow)


class UndoMissingError(Exception):
    """The batch is too old to be taken back: what that needs was dropped when it was deep on L1."""


def remember(
    txn: "Transaction", tables: "Mapping[str, Table]", record: int, keys: Iterable[bytes]
) -> None:
    """Keep what a batch is about to change. Empty header = nothing was stored before it."""
    leaves, meta = tables["leaves"], tables["meta"]
    old = [(key, txn.get(key, b"", db=leaves)) for key in keys]
    header, root = txn.get(b"header", b"", db=meta), txn.get(b"root", b"", db=meta)
    row = UndoRow(old, header, root, txn.get(b"head", b"", db=meta))
    txn.put(_U64.pack(record), _ENCODER.encode(row), db=tables["undo"])


def roll_back(
    txn: "Transaction",
    tables: "Mapping[str, Table]",
    record: int,
    position: int,
    genesis: tuple[bytes, bytes],
) -> None:
    """
    Take back batches from `record` on; the journal goes on at `position`.

    Raises `UndoMissingError`; then the transaction must not be committed.
    """
    meta = tables["meta"]
    head = txn.get(b"head", db=meta)
    if head is None:
        txn.put(b"header", genesis[0], db=meta)
        txn.put(b"root", genesis[1], db=meta)
        head = _HEAD.pack(0, 1, 0)
    batches = [_U64.unpack(key)[0] for key in _keys_from(txn, tables["batches"], record)]
    for number in reversed(batches):
        value = txn.get(_U64.pack(number), db=tables["undo"])
        if value is None:
            raise UndoMissingError(f"batch {number} can no longer be taken back")
        row = _DECODER.decode(value)
        _restore(txn, tables, row, genesis)
        head = row.head or _HEAD.pack(0, 1, 0)
    next_seq, next_block, _ = _HEAD.unpack(head)
    txn.put(b"head", _HEAD.pack(next_seq, next_block, position), db=meta)
    for name in ("batches", "batch_data", "journal_index", "undo"):
        _drop_from(txn, tables[name], record)
    _drop_indexed(txn, tables["blocks"], tables["block_index"], next_block, _block_hash)
    _drop_indexed(txn, tables["receipts"], tables["tx_index"], next_seq, _input_hash)
    _drop_from(txn, tables["groups"], next_seq)


def _restore(
    txn: "Transaction",
    tables: "Mapping[str, Table]",
    row: UndoRow,
    genesis: tuple[bytes, bytes],
) -> None:
    for key, words in row.leaves:
        if words:
            txn.put(key, words, db=tables["leaves"])
        else:
            txn.delete(key, db=tables["leaves"])
    txn.put(b"header", row.header or genesis[0], db=tables["meta"])
    txn.put(b"root", row.root or genesis[1], db=tables["meta"])


def _keys_from(txn: "Transaction", table: "Table", first: int) -> list[bytes]:
    with txn.cursor(db=table) as cursor:
        if not cursor.set_range(_U64.pack(first)):
            return []
        return list(cursor.iternext(keys=True, values=False))


def _drop_from(txn: "Transaction", table: "Table", first: int) -> None:
    for key in _keys_from(txn, table, first):
        txn.delete(key, db=table)


def _drop_indexed(
    txn: "Transaction",
    table: "Table",
    index: "Table",
    first: int,
    hash_of: Callable[[bytes], bytes],
) -> None:
    """Drop rows and the way to them by hash, unless the hash leads to another row."""
    for key in _keys_from(txn, table, first):
        digest = hash_of(txn.get(key, b"", db=table))
        if txn.get(digest, db=index) == key:
            txn.delete(digest, db=index)
        txn.delete(key, db=table)


def _block_hash(value: bytes) -> bytes:
    return _BLOCK.decode(value).hash


def _input_hash(value: bytes) -> bytes:
    return value[_HASH]
