"""
Chain: blocks, receipts and commit groups, those still in memory and those in the store.

In:  receipts from `sequencer.execution`, in order; the store.
Out: one view of every block and receipt, wherever it is kept; rows for the store after each batch.

The hash of a block is keccak256(parent || number u64 || time_ms u64 || direct_to u64 ||
keccak256 of its inputs' hashes, one after the other), big-endian: anyone can compute it from L1.
In the store a receipt is followed by the signed bytes of its input and their length (u32).

Holds: only the execution thread changes it; a block leaves memory after the store has it.
Not here: what a receipt says (`state.receipt`), how clients see it (`sequencer.rpc.shapes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

from state._native import keccak256
from state.rows import BlockRow, GroupRow
from state.store import Store

RECEIPT_HEAD = Struct("<BBHQQI32s20sHH")
"""kind, status, reason, seq, block, index, hash, sender, operations, events (formats §7)."""

_HASH = slice(24, 56)
_U32 = Struct("<I")
_BLOCK_HEAD = Struct(">QQQ")
ZERO = bytes(32)
LOADED_MAX = 128
"""Blocks of the store that are kept decoded, for those who read one receipt after the other."""


@dataclass(slots=True, eq=False)
class Block:
    """A block; `hash` is empty and `record` -1 while it is open or its batch is not sealed."""

    number: int
    time_ms: int
    direct_to: int
    parent: bytes
    first_seq: int
    hash: bytes = b""
    record: int = -1
    receipts: list[bytes] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)

    def input_hashes(self) -> list[bytes]:
        """Hashes of its inputs, in order."""
        return [receipt[_HASH] for receipt in self.receipts]


@dataclass(slots=True)
class Located:
    """A receipt and where it is."""

    block: Block
    index: int

    @property
    def receipt(self) -> bytes:
        """The receipt itself."""
        return self.block.receipts[self.index]

    @property
    def raw(self) -> bytes:
        """The signed bytes of the input; packed, for a direct input."""
        return self.block.raws[self.index]


@dataclass(slots=True)
class SealedRows:
    """What goes to the store with a batch."""

    blocks: list[BlockRow]
    receipts: list[tuple[int, bytes, bytes]]
    groups: list[GroupRow]


def block_hash(parent: bytes, block: Block) -> bytes:
    """Hash of a block that is complete."""
    head = _BLOCK_HEAD.pack(block.number, block.time_ms, block.direct_to)
    return keccak256(parent + head + keccak256(b"".join(block.input_hashes())))


GENESIS = Block(number=0, time_ms=0, direct_to=0, parent=ZERO, first_seq=0)
GENESIS.hash = block_hash(ZERO, GENESIS)


class Chain:
    """Everything that was executed, in memory until its batch is stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._live: dict[int, Block] = {}
        self._index: dict[bytes, tuple[Block, int]] = {}
        self._groups: dict[int, GroupRow] = {}
        self._new_groups: list[GroupRow] = []
        self._open: Block | None = None
        self._loaded: dict[int, Block] = {}
        batch = store.last_batch()
        self.direct_hash = ZERO if batch is None else batch.direct_hash
        """Running hash of the direct inputs in stored batches; empty = not known."""
        last = store.last_block()
        self._head = GENESIS if last is None else self._load(last)
        self._unsealed_from = self._head.number + 1

    # --- changes, in the execution thread ---

    def open_block(self, number: int, time_ms: int, direct_to: int, first_seq: int) -> None:
        """Begin a block on top of the last."""
        assert self._open is None
        block = Block(number, time_ms, direct_to, self._head.hash, first_seq)
        self._live[number] = block
        self._open = block

    def append(self, receipts: list[bytes], raws: list[bytes]) -> None:
        """Add what was executed in the open block."""
        block = self._open
        assert block is not None and len(receipts) == len(raws)
        base = len(block.receipts)
        block.raws.extend(raws)
        block.receipts.extend(receipts)
        for number, receipt in enumerate(receipts, base):
            self._index[receipt[_HASH]] = (block, number)

    def close_block(self, *, kept: bool) -> Block | None:
        """End the open block; one that the engine did not keep leaves no trace."""
        block = self._open
        self._open = None
        if block is None:
            return None
        if not kept:
            del self._live[block.number]
            return None
        block.hash = block_hash(block.parent, block)
        self._head = block
        return block

    def add_group(self, group: GroupRow) -> None:
        """Remember a signed commit group."""
        self._groups[group.first_seq] = group
        self._new_groups.append(group)

    def seal(self, record: int) -> SealedRows:
        """Hand out the rows of closed blocks since the last seal; readers still find them here."""
        assert self._open is None
        blocks, receipts = [], []
        for number in range(self._unsealed_from, self._head.number + 1):
            block = self._live[number]
            block.record = record
            blocks.append(
                BlockRow(
                    number=number,
                    hash=block.hash,
                    time_ms=block.time_ms,
                    record=record,
                    first_seq=block.first_seq,
                    inputs=len(block.receipts),
                    direct_to=block.direct_to,
                )
            )
            for offset, (receipt, raw) in enumerate(zip(block.receipts, block.raws, strict=True)):
                receipts.append((block.first_seq + offset, receipt[_HASH], stored(receipt, raw)))
        self._unsealed_from = self._head.number + 1
        groups, self._new_groups = self._new_groups, []
        return SealedRows(blocks, receipts, groups)

    def forget(self, rows: SealedRows) -> None:
        """Drop from memory what the store now has."""
        for row in rows.blocks:
            block = self._live.pop(row.number)
            for number, digest in enumerate(block.input_hashes()):
                if self._index.get(digest) == (block, number):
                    del self._index[digest]
        for group in rows.groups:
            self._groups.pop(group.first_seq, None)

    # --- reads, in any thread ---

    @property
    def head(self) -> Block:
        """The newest closed block."""
        return self._head

    @property
    def unsealed(self) -> int:
        """Blocks that no stored batch holds yet, the open one among them."""
        return len(self._live)

    def is_open(self, block: Block) -> bool:
        """Whether inputs may still be added."""
        return not block.hash

    def block(self, number: int) -> Block | None:
        """Closed block `number`."""
        if number == 0:
            return GENESIS
        block = self._live.get(number)
        if block is not None:
            return block if block.hash else None
        block = self._loaded.get(number)
        if block is not None:
            return block
        row = self._store.block(number)
        if row is None:
            return None
        if len(self._loaded) >= LOADED_MAX:
            self._loaded.clear()
        block = self._loaded[number] = self._load(row)
        return block

    def block_by_hash(self, digest: bytes) -> Block | None:
        """Closed block with that hash."""
        if digest == GENESIS.hash:
            return GENESIS
        for block in list(self._live.values()):
            if block.hash == digest:
                return block
        row = self._store.block_by_hash(digest)
        return None if row is None else self._load(row)

    def live(self, digest: bytes) -> Located | None:
        """An input that is still in memory."""
        found = self._index.get(digest)
        return None if found is None else Located(*found)

    def find(self, digest: bytes) -> Located | None:
        """An input by its hash, wherever it is."""
        found = self.live(digest)
        if found is not None:
            return found
        value = self._store.receipt_by_hash(digest)
        if value is None:
            # It may have moved to the store between the two looks, or not exist.
            return self.live(digest)
        head = RECEIPT_HEAD.unpack_from(value)
        block = self.block(head[4])
        return None if block is None else Located(block, head[5])

    def replaced(self, digest: bytes) -> Located | None:
        """An input that L1 took back and that did not run again: its receipt is in no block."""
        value = self._store.reorged(digest)
        if value is None:
            return None
        receipt, raw = split_stored(value)
        nowhere = Block(0, 0, 0, ZERO, 0, hash=ZERO, receipts=[receipt], raws=[raw])
        return Located(nowhere, 0)

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Closed blocks in order."""
        for number in range(first, last + 1):
            block = self.block(number)
            if block is not None:
                yield block

    def group_of(self, seq: int) -> GroupRow | None:
        """The commit group that holds input `seq`."""
        for group in reversed(list(self._groups.values())):
            if group.first_seq <= seq < group.first_seq + group.count:
                return group
        return self._store.group_of(seq)

    def receipts(self, first_seq: int, count: int) -> list[bytes]:
        """Receipts by sequence number; those that are not there any more are left out."""
        found = {}
        for block in list(self._live.values()):
            for number, receipt in enumerate(block.receipts, block.first_seq):
                if first_seq <= number < first_seq + count:
                    found[number] = receipt
        if len(found) < count:
            for seq, value in self._store.receipts(first_seq, count):
                found.setdefault(seq, split_stored(value)[0])
        return [found[seq] for seq in range(first_seq, first_seq + count) if seq in found]

    def _load(self, row: BlockRow) -> Block:
        parent = GENESIS.hash
        if row.number > 1:
            before = self._live.get(row.number - 1) or self._store.block(row.number - 1)
            assert before is not None
            parent = before.hash
        pairs = [
            split_stored(value) for _, value in self._store.receipts(row.first_seq, row.inputs)
        ]
        return Block(
            number=row.number,
            time_ms=row.time_ms,
            direct_to=row.direct_to,
            parent=parent,
            first_seq=row.first_seq,
            hash=row.hash,
            record=row.record,
            receipts=[receipt for receipt, _ in pairs],
            raws=[raw for _, raw in pairs],
        )


def stored(receipt: bytes, raw: bytes) -> bytes:
    """Row of the store for a receipt and the signed bytes of its input."""
    return b"".join((receipt, raw, _U32.pack(len(raw))))


def split_stored(value: bytes) -> tuple[bytes, bytes]:
    """Receipt and signed bytes of a stored row."""
    (size,) = _U32.unpack_from(value, len(value) - 4)
    return value[: len(value) - 4 - size], value[len(value) - 4 - size : -4]
