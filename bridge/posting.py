"""
What the poster takes and tells: batches, options, events.

In:    the node.
Out:   typed records; no behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A sealed batch, with the content chain on which it was built."""

    record: int
    meta: bytes
    data: bytes
    t_first_ms: int
    t_last_ms: int
    direct_to: int
    expected_direct: bytes
    prev_content: bytes


@dataclass(frozen=True, slots=True)
class PosterOptions:
    """How much is in flight and how patient the poster is."""

    queue_max: int = 32
    in_flight_max: int = 8
    # L1 blocks on top of a batch before it is forgotten here.
    settle_depth: int = 8
    poll_s: float = 0.25
    attempts_max: int = 5
    # After so many failures only now and then: each failure burns gas.
    stalled_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Landed:
    """A batch is on L1; a reorganisation may still take it back."""

    record: int
    content: bytes
    l1_block: int
    tx_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch is on L1, `settle_depth` blocks deep."""

    record: int


@dataclass(frozen=True, slots=True)
class Displaced:
    """
    Batches from `record` on can never land; the node must sequence their inputs anew.

    `reason` is advanced (by `advance`), other_record (of another poster), reorged (records or
    direct inputs that they were built on are gone), too_late (`max_lag` or `max_wait` has passed).
    """

    record: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """A batch fails again and again; a person must look."""

    record: int
    detail: str


PosterEvent = Landed | Settled | Displaced | Stalled

# What a revert with these errors means, if the content chain still fits.
DISPLACING = {
    "Inbox_BatchTooOld": "too_late",
    "Inbox_InputOverdue": "too_late",
    "Inbox_TimeFalls": "other_record",
    "Inbox_DirectToFalls": "other_record",
    "Inbox_DirectToBeyond": "reorged",
    "Inbox_DirectHashDiffers": "reorged",
}
