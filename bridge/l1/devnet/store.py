"""
Database of the embedded L1: trie nodes of py-evm and an index of our own, in one LMDB file.

In:    writes between two calls of `commit`.
Out:   rows as they were at the last commit, plus what has been written since.
Holds: `commit` is one LMDB transaction, so a kill at any instant leaves whole blocks only.
       There is no fsync per block: the devnet survives its process, not the power.
Not here: what the rows mean (`chain`, `index`).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import lmdb
from eth.db.backends.base import BaseDB

# Sparse: the file grows only with what is written.
MAP_BYTES = 1 << 35
TABLES = ("nodes", "headers", "blocks", "hashes", "transactions", "receipts", "logs", "meta")
SCHEMA = b"1"


class StoreLockedError(Exception):
    """Another process has the data folder open."""


class Store:
    """Tables of bytes, buffered until `commit`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        self._env = lmdb.open(
            str(folder / "chain.lmdb"),
            subdir=False,
            map_size=MAP_BYTES,
            max_dbs=len(TABLES),
            sync=False,
            metasync=False,
        )
        self._tables = {name: self._env.open_db(name.encode()) for name in TABLES}
        self._pending: dict[str, dict[bytes, bytes | None]] = {name: {} for name in TABLES}
        found = self.get("meta", b"schema")
        if found not in (None, SCHEMA):
            raise StoreLockedError(f"{folder} was written by another version; start with a new one")
        self.put("meta", b"schema", SCHEMA)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return a row, or None."""
        pending = self._pending[table]
        if key in pending:
            return pending[key]
        with self._env.begin(db=self._tables[table]) as reader:
            value: bytes | None = reader.get(key)
            return value

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Write a row at the next commit."""
        self._pending[table][key] = value

    def delete(self, table: str, key: bytes) -> None:
        """Remove a row at the next commit."""
        self._pending[table][key] = None

    def scan(self, table: str, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield committed rows with first <= key < end, in order of key."""
        with (
            self._env.begin(db=self._tables[table]) as reader,
            reader.cursor() as cursor,
        ):
            found = cursor.set_range(first)
            while found:
                key, value = cursor.item()
                if key >= end:
                    return
                yield key, value
                found = cursor.next()

    def commit(self) -> None:
        """Write everything that is pending, all or nothing."""
        with self._env.begin(write=True) as writer:
            for name, rows in self._pending.items():
                table = self._tables[name]
                for key, value in rows.items():
                    if value is None:
                        writer.delete(key, db=table)
                    else:
                        writer.put(key, value, db=table)
        self.discard()

    def discard(self) -> None:
        """Forget what is pending."""
        for rows in self._pending.values():
            rows.clear()

    def close(self) -> None:
        """Write to the disk and let others open the folder."""
        self._env.sync(True)
        self._env.close()
        self._lock.close()


class Nodes(BaseDB):
    """The table `nodes` as py-evm wants a database. Nodes are never removed: old states stay."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: bytes) -> bytes:
        value = self._store.get("nodes", key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._store.put("nodes", key, value)

    def __delitem__(self, key: bytes) -> None:
        """Keep it: another state may share the node."""

    def _exists(self, key: bytes) -> bool:
        return self._store.get("nodes", key) is not None


def _lock(folder: Path) -> IO[bytes]:
    handle = (folder / "lock").open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StoreLockedError(f"{folder} is in use by another process; stop it first") from error
    return handle
