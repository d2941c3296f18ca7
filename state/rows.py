"""
Rows: what the store keeps about batches, blocks and commit groups.

In:  built by the sequencer. Out: MessagePack, arrays without names.

Holds: fields are only appended, with a default, so that an older row still opens.
Not here: tables and transactions (`state.store`).
"""

import msgspec


class BatchRow(msgspec.Struct, frozen=True, array_like=True):
    """A sealed batch; its data is kept apart until it is safe on L1."""

    record: int
    first_block: int
    blocks: int
    first_seq: int
    inputs: int
    operations: int
    signatures: int
    t_first_ms: int
    t_last_ms: int
    direct_to: int
    size: int
    meta: bytes
    page_root: bytes
    record_leaf: bytes
    content: bytes
    root: bytes
    header: bytes
    l1_block: int = 0
    l1_tx: bytes = b""
    direct_hash: bytes = b""
    """Running hash of the direct inputs that were executed up to `direct_to`."""


class BlockRow(msgspec.Struct, frozen=True, array_like=True):
    """A block, which is one segment of a batch."""

    number: int
    hash: bytes
    time_ms: int
    record: int
    first_seq: int
    inputs: int
    direct_to: int = 0


class GroupRow(msgspec.Struct, frozen=True, array_like=True):
    """A commit group: the receipts that became durable together, and the promise over them."""

    first_seq: int
    count: int
    term: int
    receipts_root: bytes
    previous: bytes
    digest: bytes
    signature: bytes
