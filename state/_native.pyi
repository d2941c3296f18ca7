"""
The native core of `state`, built from `state/native` (Rust): the transition in Python's reach.

In:  raw transactions, signed reports, packed direct inputs, L1 records.
Out: verified values, binary receipts (docs/formats.md §7), batches, roots, views of the state.

Holds: work is done without the GIL; no panic crosses: it becomes `Fault`, and the engine stops for
good. A `ValueError` is the caller's mistake: nothing has changed.
Not here: disk (`state.store`), the encodings in Python (`state.tx`, `state.batch`).

A sequencer calls, in this order: `admit`, then (inputs journaled) `open_block`, `execute` with as
many inputs as `fits` says, `close_block`; after some blocks `seal_batch`, then `commit` (from
another thread, beside the next block). Whoever follows L1 calls `apply_record` for each record,
`end_epoch` where an epoch ends. Thousands of inputs per call are the rule.
"""

from collections.abc import Sequence
from typing import Final, final

from state.types import ChainView, MarketView, OrderView, SubaccountView, Totals

__all__ = [
    "CHUNK_WEIGHT",
    "EMPTY_STATE_ROOT",
    "MAX_BATCH_BYTES",
    "MAX_BLOCK_INPUTS",
    "Engine",
    "Executed",
    "Fault",
    "RecordOutcome",
    "Refusal",
    "SealedBatch",
    "VerifiedReport",
    "VerifiedTx",
    "commitment",
    "header_root",
    "keccak256",
    "receipts_path",
    "receipts_root",
    "record_chunk",
    "verify_envelopes",
    "verify_reports",
    "version",
    "withdrawal_proof",
]

EMPTY_STATE_ROOT: Final[bytes]
"""Root of the state without records."""

MAX_BATCH_BYTES: Final[int]
"""Most bytes of a batch's data."""

MAX_BLOCK_INPUTS: Final[int]
"""Most inputs of a block."""

CHUNK_WEIGHT: Final[int]
"""Weight of a chunk (rollup.md 3.2)."""

class Fault(Exception):  # noqa: N818 - one of the three endings, not one error
    """Our mistake, or data that no lawful run can meet: stop, keep everything, call a human."""

def version() -> str:
    """Return the version of the native module, that of the distribution."""

def keccak256(data: bytes) -> bytes:
    """Return keccak256 of `data`."""

def header_root(header: bytes) -> bytes:
    """Return the chunk root of a header's 256 bytes (docs/formats.md §2)."""

def commitment(chunk_roots: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return an epoch's commitment over its chunk roots, and the 21 siblings of its last leaf."""

def withdrawal_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the 32 siblings of withdrawal `index` in the tree over all `leaves`, lowest first."""

def receipts_root(receipts: Sequence[bytes]) -> bytes:
    """Return the root of a commit group: the tree over the hashes of its receipts."""

def receipts_path(receipts: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings of receipt `index` in its commit group, lowest first."""

def record_chunk(
    rows: Sequence[tuple[bytes, bytes]],
    header: bytes,
    records: Sequence[tuple[bytes, bytes]],
    directs: Sequence[bytes],
    chain_id: int,
    inbox: bytes,
) -> tuple[bytes, int, bytes, list[tuple[int, bytes, bytes]]]:
    """
    Run the chunk that starts at `header`, by the function that the guest runs.

    Parameters
    ----------
    rows :
        The whole state before it, as the store keeps leaves.
    records, directs :
        Of the epoch, from the first of the chain on: (meta, data), packed direct inputs.

    Returns
    -------
    Root after the chunk, its weight, its context, and the preimages it read (type, key, bytes),
    as in docs/formats.md §10.
    """

def verify_envelopes(
    raws: Sequence[bytes], chain_id: int, threads: int = 2
) -> list[VerifiedTx | Refusal]:
    """
    Decode signed Ethereum transactions and recover who signed them; results in order.

    Accounts and nonces need the state: `Engine.admit`.
    """

def verify_reports(
    reports: Sequence[tuple[int, int, int, bytes]], chain_id: int, inbox: bytes, threads: int = 2
) -> list[VerifiedReport | Refusal]:
    """Recover who signed reports (feed, price_e9, time_ms, signature of EIP-2098); in order."""

@final
class VerifiedTx:
    """An envelope whose form, chain id and signature were checked."""

    @property
    def hash(self) -> bytes:
        """Transaction hash."""
    @property
    def raw(self) -> bytes:
        """The signed transaction as it came."""
    @property
    def sender(self) -> bytes:
        """Address of the signer."""
    @property
    def nonce(self) -> int:
        """Nonce."""
    @property
    def subaccount(self) -> int:
        """Subaccount number."""
    @property
    def operations(self) -> int:
        """Number of operations, 1 to 64."""
    @property
    def kind(self) -> str:
        """
        Kind of the first operation.

        One of place, cancel, cancel_by_id, replace, cancel_all, withdraw.
        """
    @property
    def kinds(self) -> list[str]:
        """Kind of each operation."""
    @property
    def size_max(self) -> int:
        """Most bytes it takes in a batch by itself."""

@final
class VerifiedReport:
    """An oracle report whose signature was checked."""

    @property
    def hash(self) -> bytes:
        """EIP-712 digest."""
    @property
    def reporter(self) -> bytes:
        """Address of the signer."""
    @property
    def feed(self) -> int:
        """Feed number."""
    @property
    def price_e9(self) -> int:
        """Price, USD x 1e9."""
    @property
    def time_ms(self) -> int:
        """When it was observed."""
    @property
    def signature(self) -> bytes:
        """EIP-2098 signature."""
    @property
    def size_max(self) -> int:
        """Most bytes it takes in a batch by itself."""

@final
class Refusal:
    """Why an input goes no further: a value, because there are thousands per call."""

    @property
    def reason(self) -> int:
        """Number of the reason (docs/formats.md §9)."""
    @property
    def slug(self) -> str:
        """Name of the reason."""
    @property
    def hash(self) -> bytes:
        """keccak256 of the raw transaction, or digest of the report."""

@final
class Executed:
    """What a call executed: one receipt per input, direct inputs among them, in order."""

    @property
    def receipts(self) -> list[bytes]:
        """Binary receipts (docs/formats.md §7)."""
    @property
    def hashes(self) -> list[bytes]:
        """Hash of each input: transaction hash, report digest, direct leaf."""
    @property
    def first_seq(self) -> int:
        """Sequence number of the first input."""
    @property
    def block(self) -> int:
        """Number of the block of the last input; 0 without inputs."""
    @property
    def withdrawals(self) -> list[bytes]:
        """Leaves that were added to the withdrawals tree."""
    def rows(self) -> list[tuple[int, bytes, bytes]]:
        """(seq, hash, receipt) of each input, as `state.store.Store.put_receipts` takes them."""
    def stats(self) -> dict[str, int]:
        """
        Totals for metrics.

        Keys: inputs, operations, rejected, skipped, placed, replaced, cancelled, trades, deposits,
        withdrawals, reports.
        """
    def __len__(self) -> int: ...

@final
class SealedBatch:
    """A batch that takes no more blocks, ready for L1."""

    @property
    def record(self) -> int:
        """Its place among the records of L1."""
    @property
    def meta(self) -> bytes:
        """The record's meta word."""
    @property
    def data(self) -> bytes:
        """The encoded batch."""
    @property
    def t_first_ms(self) -> int:
        """Time of its first block."""
    @property
    def t_last_ms(self) -> int:
        """Time of its last block."""
    @property
    def direct_to(self) -> int:
        """Direct inputs before this index are drained after it."""
    @property
    def page_root(self) -> bytes:
        """Root over the pages of its data."""
    @property
    def record_leaf(self) -> bytes:
        """Leaf of the record: H(meta, page_root)."""
    @property
    def header(self) -> bytes:
        """The header after it; its state root is zero until `Engine.commit`."""
    @property
    def first_block(self) -> int:
        """Number of its first block."""
    @property
    def blocks(self) -> int:
        """Number of blocks."""
    @property
    def inputs(self) -> int:
        """Number of envelopes and reports."""
    @property
    def operations(self) -> int:
        """Number of operations in its envelopes."""
    @property
    def signatures(self) -> int:
        """Number of signatures in it."""
    @property
    def next_seq(self) -> int:
        """Sequence number after its last input."""
    @property
    def next_block(self) -> int:
        """Block number after its last block."""
    def records(self) -> list[tuple[bytes, bytes]]:
        """
        Records that changed, for the store: (key, words), sorted by key.

        Key = kind u16 BE, index u64 BE; no words = the record is absent now.
        """

@final
class RecordOutcome:
    """What a record of L1 did."""

    @property
    def root(self) -> bytes:
        """Chunk root of the header after it."""
    @property
    def header(self) -> bytes:
        """The header after it."""
    @property
    def chunk_roots(self) -> list[bytes]:
        """Roots of the chunks that became full in it; `Engine.end_epoch` gives them all."""
    @property
    def inputs(self) -> int:
        """Inputs that ran, direct inputs among them."""
    @property
    def operations(self) -> int:
        """Operations that ran."""
    @property
    def blocks(self) -> int:
        """Blocks that ran."""
    @property
    def withdrawals(self) -> list[bytes]:
        """Leaves that were added to the withdrawals tree."""
    @property
    def receipts(self) -> list[bytes]:
        """One receipt per input."""
    @property
    def hashes(self) -> list[bytes]:
        """Hash of each input."""
    @property
    def first_seq(self) -> int:
        """Sequence number of its first input."""
    @property
    def next_seq(self) -> int:
        """Sequence number after its last input."""
    @property
    def next_block(self) -> int:
        """Block number after its last block."""
    @property
    def bad(self) -> str | None:
        """What is wrong with its data, if anything: the rest of it was skipped."""
    def records(self) -> list[tuple[bytes, bytes]]:
        """Records that changed, as `SealedBatch.records`."""
    def stats(self) -> dict[str, int]:
        """Totals, as `Executed.stats`."""

@final
class Engine:
    """
    The transition, its state in memory, and the tree over it.

    Any thread may call any method. Execution and reads share one lock, `commit` has its own.
    """

    def __new__(cls, chain_id: int, inbox: bytes) -> Engine:
        """Make an engine with the genesis state."""

    # --- restoring ---

    def load_records(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Put in records as `SealedBatch.records` gave them. `ValueError`: not a record."""
    def load_header(self, header: bytes, next_seq: int, next_block: int) -> None:
        """Put in a header and the numbers that follow it."""
    def rebuild(self) -> bytes:
        """Build the tree from the records; return its state root, to compare with the header's."""

    # --- the sequencer's way ---

    def admit(self, inputs: Sequence[VerifiedTx | VerifiedReport]) -> list[int]:
        """
        Return for each input 0, or the reason why it must not be sequenced.

        Checked are the signer's account and nonce; of reports the reporter and its last time.
        Admitted envelopes count for those after them, in later calls too, until they are executed.
        """
    def forget_admitted(self) -> None:
        """Forget admitted envelopes that were not executed (they were not journaled)."""
    def fits(self, inputs: Sequence[VerifiedTx | VerifiedReport]) -> int:
        """Return how many leading inputs fit into the open block; 0 without one."""
    def batch_room(self) -> int:
        """
        Return how many bytes are left in the open batch for the open, or else the next, block.

        It never overestimates: the open block counts with an upper bound, closed ones exactly.
        """
    def open_block(self, time_ms: int, direct_to: int, directs: Sequence[bytes]) -> Executed:
        """
        Start a block: run its tick and the direct inputs before `direct_to`.

        `directs` are packed (kind u8, sender, index, time_ms, data: docs/formats.md §3), from
        `direct_cursor` on. Time must not fall.
        """
    def execute(self, inputs: Sequence[VerifiedTx | VerifiedReport]) -> Executed:
        """Append inputs, which fit and passed `admit`, to the open block and run them."""
    def close_block(self) -> bytes | None:
        """
        End the block; return its segment.

        A block without inputs, direct inputs and tick changes nothing: it is taken back, and its
        number is used again (None).
        """
    def seal_batch(self) -> SealedBatch | None:
        """End the open block and the batch; None without a block."""
    def commit(self, sealed: SealedBatch) -> tuple[bytes, bytes]:
        """
        Hash the batch's records; return the chunk root and the complete header after it.

        In the order of sealing. Runs beside execution.
        """

    # --- the way from L1 ---

    def apply_record(
        self, meta: bytes, data: bytes, directs: Sequence[bytes], threads: int = 2
    ) -> RecordOutcome:
        """
        Run the next record of L1, a batch or an advance.

        `directs` are the packed direct inputs from `direct_cursor` up to the meta's `direct_to`.
        Chunks go on from record to record until `end_epoch`.
        """
    def end_epoch(self) -> list[bytes]:
        """End the epoch: close the partial chunk, return all chunk roots of the epoch."""

    # --- reads ---

    @property
    def header(self) -> bytes:
        """Header now; its state root is that of the newest commit or record."""
    @property
    def direct_cursor(self) -> int:
        """Index of the next direct input."""
    @property
    def record_cursor(self) -> int:
        """Number of the record that is being built, or comes next."""
    @property
    def time_ms(self) -> int:
        """Time of the newest block."""
    @property
    def next_seq(self) -> int:
        """Sequence number of the next input."""
    @property
    def next_block(self) -> int:
        """Number of the open, or else the next, block."""
    @property
    def block_inputs(self) -> int | None:
        """Inputs of the open block; None without one."""
    @property
    def withdrawals_count(self) -> int:
        """Leaves of the withdrawals tree."""
    @property
    def withdrawals_root(self) -> bytes:
        """Root of the withdrawals tree."""
    def record(self, kind: int, index: int) -> bytes:
        """Return the words of a record; empty if it is absent."""
    def proof(self, kind: int, index: int) -> list[bytes]:
        """Return the siblings of a record's leaf under the newest committed state root."""
    def account_index(self, address: bytes) -> int:
        """Return the account of an address; 0 = none."""
    def subaccount_view(self, address: bytes, number: int) -> SubaccountView | None:
        """Return a subaccount with its margin and positions."""
    def open_orders(self, address: bytes, number: int) -> list[OrderView]:
        """Return the open orders of a subaccount, by slot."""
    def market_view(self, market: int) -> MarketView | None:
        """Return a market, its prices and the top of its book."""
    def book(self, market: int, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return up to `depth` bids and asks as (price_e9, qty_e9), best first."""
    def chain_view(self) -> ChainView:
        """Return counters, sinks and the quote asset."""
    def totals(self) -> Totals:
        """Return both sides of invariant 11.1 of trading.md; `difference_e9` must be 0."""
    def check_invariants(self) -> list[str]:
        """Return a sentence for each invariant of trading.md §11 that does not hold."""
