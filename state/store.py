"""
Store: the state on disk, and what is served about the past.

In:  dirty leaves, headers and rows after each batch; receipts in bulk.
Out: the same by key; an engine filled with the newest state.

Holds: what `commit_batch` writes is one atomic transaction; one process writes; a state whose
leaves do not give the stored root is refused; the map grows by doubling, up to a limit.
Not here: what leaves mean (`state._native`), durability of single inputs (`sequencer.journal`).

Tables are LMDB's; leaf keys are kind u16 BE || index u64 BE, other numbers u64 BE.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import IO, Final, NamedTuple, Self, TypeAlias, TypeVar

import lmdb
import msgspec

from state import undo
from state._native import Engine, header_root
from state.folder import (
    StateDamagedError,
    StateRootMismatchError,
    StoreChainError,
    StoreClosedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreVersionError,
    map_size_on_disk,
    release,
    take_lock,
)
from state.rows import BatchRow, BlockRow, GroupRow
from state.undo import UndoMissingError

__all__ = [
    "Head",
    "L1Cursor",
    "StateDamagedError",
    "StateRootMismatchError",
    "Store",
    "StoreChainError",
    "StoreClosedError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreVersionError",
    "UndoMissingError",
]

SCHEMA_VERSION: Final = 1
"""Written into every store; another one is refused by name."""

MAP_SIZE: Final = 1 << 30
"""First size of the memory map, bytes."""

MAP_SIZE_MAX: Final = 1 << 40
"""The map never grows beyond this, bytes."""

LOAD_ROWS: Final = 50_000
"""Leaves handed to the engine at a time."""

TABLES: Final = (
    "leaves",
    "batches",
    "batch_data",
    "blocks",
    "block_index",
    "receipts",
    "tx_index",
    "groups",
    "journal_index",
    "undo",
    "reorged",
    "meta",
)

_U64: Final = Struct(">Q")
_HEAD: Final = Struct(">QQQ")
_CURSOR: Final = Struct(">Q32s")
_HEADER_BYTES: Final = 256
_ENCODER: Final = msgspec.msgpack.Encoder()
_BATCH: Final = msgspec.msgpack.Decoder(BatchRow)
_BLOCK: Final = msgspec.msgpack.Decoder(BlockRow)
_GROUP: Final = msgspec.msgpack.Decoder(GroupRow)

type_of_result = TypeVar("type_of_result")
Transaction: TypeAlias = "lmdb.Transaction[bytes]"
Leaf = tuple[bytes, bytes]
Progress = Callable[[int, int], None]


class Head(NamedTuple):
    """Where the newest stored state stands."""

    header: bytes
    root: bytes
    next_seq: int
    next_block: int
    journal_position: int


class L1Cursor(NamedTuple):
    """The newest L1 block that was taken in."""

    number: int
    hash: bytes


class Store:
    """
    An open store.

    Any thread may call any method; writes happen one at a time. Close it, or use it in `with`.
    """

    def __init__(self, path: Path, env: lmdb.Environment, map_size_max: int, lock: IO[str] | None):
        self.path = path
        self._env = env
        self._map_size_max = map_size_max
        self._lock = lock
        self._writer = threading.Lock()
        self._readers = 0
        self._is_growing = False
        self._idle = threading.Condition()
        self._closed = False
        create = lock is not None
        self._db = {name: env.open_db(name.encode(), create=create) for name in TABLES}

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        chain_id: int,
        map_size: int = MAP_SIZE,
        map_size_max: int = MAP_SIZE_MAX,
        read_only: bool = False,
    ) -> Self:
        """
        Open the store in the folder `path`, and make it if it is not there.

        Raises `StoreLockedError`, `StoreVersionError` or `StoreChainError`.
        """
        folder = Path(path)
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        lock = None if read_only else take_lock(folder)
        try:
            env = lmdb.Environment(
                str(folder),
                map_size=max(map_size, map_size_on_disk(folder)),
                max_dbs=len(TABLES),
                readonly=read_only,
                metasync=False,
            )
        except BaseException:
            release(lock)
            raise
        try:
            store = cls(folder, env, map_size_max, lock)
            store._check_identity(chain_id)
        except lmdb.NotFoundError as error:
            env.close()
            release(lock)
            raise StoreVersionError(f"{folder} holds no Novation store: {error}") from error
        except BaseException:
            env.close()
            release(lock)
            raise
        return store

    def close(self) -> None:
        """Close it once nobody reads or writes; every later call raises `StoreClosedError`."""
        with self._writer:
            with self._idle:
                # LMDB must not be closed under a transaction, wherever that runs.
                self._closed = True
                self._idle.wait_for(lambda: self._readers == 0)
            self._env.close()
            release(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the state ---

    def commit_batch(  # noqa: PLR0913 - one atomic write has many parts
        self,
        *,
        records: Sequence[Leaf],
        header: bytes,
        root: bytes,
        next_seq: int,
        next_block: int,
        journal_position: int,
        batch: BatchRow | None = None,
        data: bytes = b"",
        blocks: Sequence[BlockRow] = (),
    ) -> None:
        """
        Write the state after a batch: all of it, or nothing.

        `records` are the dirty leaves, sorted by key; an empty value removes the leaf.
        """
        if header_root(header) != root:
            raise ValueError("root is not that of header: pass both as Engine.commit gave them")
        kept = [row for row in records if row[1]]
        gone = [key for key, words in records if not words]

        def write(txn: Transaction) -> None:
            if batch is not None:
                undo.remember(txn, self._db, batch.record, (key for key, _ in records))
            with txn.cursor(db=self._db["leaves"]) as cursor:
                cursor.putmulti(kept)
            for key in gone:
                txn.delete(key, db=self._db["leaves"])
            meta = self._db["meta"]
            txn.put(b"header", header, db=meta)
            txn.put(b"root", root, db=meta)
            txn.put(b"head", _HEAD.pack(next_seq, next_block, journal_position), db=meta)
            if batch is not None:
                key = _U64.pack(batch.record)
                txn.put(key, _ENCODER.encode(batch), db=self._db["batches"])
                txn.put(key, data, db=self._db["batch_data"])
                txn.put(key, _U64.pack(journal_position), db=self._db["journal_index"])
            self._write_blocks(txn, blocks)

        self._write(write)

    def roll_back(
        self, record: int, position: int, genesis: tuple[bytes, bytes], **notes: bytes
    ) -> None:
        """
        Take back all batches from `record` on, in one transaction; the journal goes on at
        `position`. `genesis` is the header and root without batches; `notes` go to `meta`.

        Raises `UndoMissingError` if one is too old.
        """

        def write(txn: Transaction) -> None:
            undo.roll_back(txn, self._db, record, position, genesis)
            for name, value in notes.items():
                txn.put(b"x/" + name.encode(), value, db=self._db["meta"])

        self._write(write)

    def can_roll_back(self, record: int) -> bool:
        """Tell whether batches from `record` on can still be taken back."""
        return self._get("undo", _U64.pack(record)) is not None

    def head(self) -> Head | None:
        """Return where the newest stored state stands; None in a new store."""
        with self._read() as txn:
            meta = self._db["meta"]
            header, root = txn.get(b"header", db=meta), txn.get(b"root", db=meta)
            head = txn.get(b"head", db=meta)
        if header is None or root is None or head is None:
            return None
        return Head(header, root, *_HEAD.unpack(head))

    def load_into(self, engine: Engine, progress: Progress | None = None) -> Head | None:
        """
        Fill a new engine with the stored state, and check its root; None if nothing is stored.

        `progress` is called with the number of leaves loaded and their total. Raises
        `StateDamagedError` or `StateRootMismatchError`; then the engine must not be used.
        """
        head = self.head()
        with self._read() as txn:
            total = txn.stat(self._db["leaves"])["entries"]
            if head is None:
                if total:
                    raise StateDamagedError(f"{self.path} holds leaves but no header")
                return None
            if len(head.header) != _HEADER_BYTES or header_root(head.header) != head.root:
                raise StateDamagedError(
                    f"the header stored in {self.path} does not give its root 0x{head.root.hex()}"
                )
            self._load_leaves(txn, engine, total, progress)
        engine.load_header(head.header, head.next_seq, head.next_block)
        stored, computed = head.header[32:64], engine.rebuild()
        if stored != computed:
            raise StateRootMismatchError(self.path, stored, computed)
        return head

    def _load_leaves(
        self, txn: Transaction, engine: Engine, total: int, progress: Progress | None
    ) -> None:
        loaded = 0
        with txn.cursor(db=self._db["leaves"]) as cursor:
            rows = iter(cursor)
            while chunk := list(itertools.islice(rows, LOAD_ROWS)):
                try:
                    engine.load_records(chunk)
                except ValueError as error:
                    raise StateDamagedError(f"the state in {self.path}: {error}") from error
                loaded += len(chunk)
                if progress is not None:
                    progress(loaded, total)

    # --- batches and blocks ---

    def batch(self, record: int) -> BatchRow | None:
        """Return the batch that is L1 record `record`."""
        value = self._get("batches", _U64.pack(record))
        return None if value is None else _BATCH.decode(value)

    def last_batch(self) -> BatchRow | None:
        """Return the newest batch."""
        with self._read() as txn, txn.cursor(db=self._db["batches"]) as cursor:
            return _BATCH.decode(cursor.value()) if cursor.last() else None

    def batches(self, first: int, limit: int = 1_000) -> list[BatchRow]:
        """Return up to `limit` batches from record `first` on, in order."""
        return [_BATCH.decode(value) for _, value in self._range("batches", first, limit)]

    def update_batch(self, row: BatchRow) -> None:
        """Replace the row of a batch (where it landed on L1)."""
        key, value = _U64.pack(row.record), _ENCODER.encode(row)
        self._write(lambda txn: txn.put(key, value, db=self._db["batches"]))

    def note_landed(self, record: int, content: bytes, l1_block: int, l1_tx: bytes) -> None:
        """Remember where the batch with this content landed on L1."""
        row = self.batch(record)
        if row is None or row.content != content or (row.l1_block, row.l1_tx) == (l1_block, l1_tx):
            return
        landed = msgspec.structs.replace(row, l1_block=l1_block, l1_tx=l1_tx)
        key, value = _U64.pack(record), _ENCODER.encode(row)

        def write(txn: Transaction) -> None:
            # It may have been taken back between the two.
            if txn.get(key, db=self._db["batches"]) == value:
                txn.put(key, _ENCODER.encode(landed), db=self._db["batches"])

        self._write(write)

    def batch_data(self, record: int) -> bytes | None:
        """Return the encoded batch while it is kept."""
        return self._get("batch_data", _U64.pack(record))

    def drop_batch_data(self, before: int) -> int:
        """Forget the data of all batches before `before`, safe on L1; return how many."""

        def write(txn: Transaction) -> int:
            self._drop_below(txn, "undo", before)
            return self._drop_below(txn, "batch_data", before)

        return self._write(write)

    def put_blocks(self, rows: Sequence[BlockRow]) -> None:
        """Write block rows."""
        self._write(lambda txn: self._write_blocks(txn, rows))

    def block(self, number: int) -> BlockRow | None:
        """Return block `number`."""
        value = self._get("blocks", _U64.pack(number))
        return None if value is None else _BLOCK.decode(value)

    def block_by_hash(self, block_hash: bytes) -> BlockRow | None:
        """Return the block with this hash."""
        with self._read() as txn:
            key = txn.get(block_hash, db=self._db["block_index"])
            value = None if key is None else txn.get(key, db=self._db["blocks"])
        return None if value is None else _BLOCK.decode(value)

    def blocks(self, first: int, limit: int = 1_000) -> list[BlockRow]:
        """Return up to `limit` blocks from `first` on, in order."""
        return [_BLOCK.decode(value) for _, value in self._range("blocks", first, limit)]

    def last_block(self) -> BlockRow | None:
        """Return the newest block."""
        with self._read() as txn, txn.cursor(db=self._db["blocks"]) as cursor:
            return _BLOCK.decode(cursor.value()) if cursor.last() else None

    # --- receipts ---

    def put_receipts(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Write receipts: (seq, hash, receipt), in order of seq. The newest of a hash is found."""
        receipts = [(_U64.pack(seq), receipt) for seq, _, receipt in rows]
        index = sorted((digest, _U64.pack(seq)) for seq, digest, _ in rows)

        def write(txn: Transaction) -> None:
            with txn.cursor(db=self._db["receipts"]) as cursor:
                cursor.putmulti(receipts)
            with txn.cursor(db=self._db["tx_index"]) as cursor:
                cursor.putmulti(index)

        self._write(write)

    def receipt(self, seq: int) -> bytes | None:
        """Return the receipt of input `seq`."""
        return self._get("receipts", _U64.pack(seq))

    def receipts(self, first: int, limit: int = 1_000) -> list[tuple[int, bytes]]:
        """Return up to `limit` receipts (seq, receipt) from `first` on, in order."""
        rows = self._range("receipts", first, limit)
        return [(_U64.unpack(key)[0], value) for key, value in rows]

    def receipt_by_hash(self, digest: bytes) -> bytes | None:
        """Return the receipt of the input with this hash."""
        with self._read() as txn:
            key = txn.get(digest, db=self._db["tx_index"])
            return None if key is None else txn.get(key, db=self._db["receipts"])

    def seq_by_hash(self, digest: bytes) -> int | None:
        """Return the sequence number of the input with this hash."""
        key = self._get("tx_index", digest)
        return None if key is None else int(_U64.unpack(key)[0])

    def put_reorged(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Write receipts (hash, receipt) of inputs that were taken back and do not run again."""
        self._write(lambda txn: [txn.put(*row, db=self._db["reorged"]) for row in rows])

    def reorged(self, digest: bytes) -> bytes | None:
        """Return the receipt of an input that was taken back and did not run again."""
        return self._get("reorged", digest)

    def put_groups(self, rows: Sequence[GroupRow]) -> None:
        """Write commit groups."""
        items = [(_U64.pack(row.first_seq), _ENCODER.encode(row)) for row in rows]

        def write(txn: Transaction) -> None:
            with txn.cursor(db=self._db["groups"]) as cursor:
                cursor.putmulti(items)

        self._write(write)

    def group_of(self, seq: int) -> GroupRow | None:
        """Return the commit group that input `seq` is in."""
        with self._read() as txn, txn.cursor(db=self._db["groups"]) as cursor:
            found = cursor.set_range(_U64.pack(seq + 1))
            if not (cursor.prev() if found else cursor.last()):
                return None
            row = _GROUP.decode(cursor.value())
        return row if row.first_seq <= seq < row.first_seq + row.count else None

    # --- cursors and small values ---

    def journal_position(self, record: int) -> int | None:
        """Return the journal's position after batch `record`."""
        value = self._get("journal_index", _U64.pack(record))
        return None if value is None else int(_U64.unpack(value)[0])

    def set_l1_cursor(self, number: int, block_hash: bytes) -> None:
        """Remember the newest L1 block that was taken in."""
        self.put_meta("l1_cursor", _CURSOR.pack(number, block_hash))

    def l1_cursor(self) -> L1Cursor | None:
        """Return the newest L1 block that was taken in."""
        value = self.meta("l1_cursor")
        return None if value is None else L1Cursor(*_CURSOR.unpack(value))

    def put_meta(self, name: str, value: bytes) -> None:
        """Write a small value of the caller's own under a name."""
        key = b"x/" + name.encode()
        self._write(lambda txn: txn.put(key, value, db=self._db["meta"]))

    def meta(self, name: str) -> bytes | None:
        """Return what `put_meta` wrote."""
        return self._get("meta", b"x/" + name.encode())

    def size_bytes(self) -> int:
        """Return how many bytes of the map are in use."""
        return int(self._env.info()["last_pgno"] + 1) * int(self._env.stat()["psize"])

    # --- transactions ---

    def _get(self, table: str, key: bytes) -> bytes | None:
        with self._read() as txn:
            return txn.get(key, db=self._db[table])

    def _range(self, table: str, first: int, limit: int) -> list[Leaf]:
        with self._read() as txn, txn.cursor(db=self._db[table]) as cursor:
            if not cursor.set_range(_U64.pack(first)):
                return []
            return list(itertools.islice(cursor, limit))

    def _write_blocks(self, txn: Transaction, rows: Sequence[BlockRow]) -> None:
        with txn.cursor(db=self._db["blocks"]) as cursor:
            cursor.putmulti([(_U64.pack(row.number), _ENCODER.encode(row)) for row in rows])
        with txn.cursor(db=self._db["block_index"]) as cursor:
            cursor.putmulti(sorted((row.hash, _U64.pack(row.number)) for row in rows))

    def _drop_below(self, txn: Transaction, table: str, before: int) -> int:
        end, dropped = _U64.pack(before), 0
        with txn.cursor(db=self._db[table]) as cursor:
            while cursor.first() and cursor.key() < end:
                txn.delete(cursor.key(), db=self._db[table])
                dropped += 1
        return dropped

    @contextmanager
    def _read(self) -> Iterator[Transaction]:
        """
        Run a read transaction; the map is not resized meanwhile.

        One that comes while a resize waits lets it go first, or busy readers would starve it. So a
        reader must not read again inside its own transaction.
        """
        with self._idle:
            self._idle.wait_for(lambda: not self._is_growing)
            if self._closed:
                raise StoreClosedError(f"the store in {self.path} is closed")
            self._readers += 1
        try:
            with self._env.begin() as txn:
                yield txn
        finally:
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    def _write(self, write: Callable[[Transaction], type_of_result]) -> type_of_result:
        """Run `write` in one transaction, again with a larger map if the map is full."""
        with self._writer:
            if self._closed:
                raise StoreClosedError(f"the store in {self.path} is closed")
            while True:
                try:
                    with self._env.begin(write=True) as txn:
                        return write(txn)
                except lmdb.MapFullError:
                    self._grow()

    def _grow(self) -> None:
        size = int(self._env.info()["map_size"])
        if size * 2 > self._map_size_max:
            raise StoreFullError(
                f"{self.path} has reached {size} bytes and may not grow past {self._map_size_max}: "
                "raise the limit (map_size_max), or make room on the disk"
            )
        with self._idle:
            self._is_growing = True
            try:
                self._idle.wait_for(lambda: self._readers == 0)
                self._env.set_mapsize(size * 2)
            finally:
                self._is_growing = False
                self._idle.notify_all()

    def _check_identity(self, chain_id: int) -> None:
        version = self._get("meta", b"schema_version")
        if version is None:
            if self._lock is None:
                raise StoreVersionError(f"{self.path} holds no Novation store")
            self._write(lambda txn: self._write_identity(txn, chain_id))
            return
        if version != _U64.pack(SCHEMA_VERSION):
            raise StoreVersionError(
                f"{self.path} has schema version {int.from_bytes(version)}, this program has "
                f"{SCHEMA_VERSION}: use the program that wrote it, or move the folder away"
            )
        found = int.from_bytes(self._get("meta", b"chain_id") or b"")
        if found != chain_id:
            raise StoreChainError(
                f"{self.path} belongs to chain {found}, not to {chain_id}: choose another folder"
            )

    def _write_identity(self, txn: Transaction, chain_id: int) -> None:
        txn.put(b"schema_version", _U64.pack(SCHEMA_VERSION), db=self._db["meta"])
        txn.put(b"chain_id", _U64.pack(chain_id), db=self._db["meta"])
