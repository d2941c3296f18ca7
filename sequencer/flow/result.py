"""
Result: the figures of one flow, as one JSON object and as a table.

In:  what was planned, sent, collected and measured.
Out: `FlowResult`; its fields are the keys of the JSON object, in this order.
"""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table


class FlowResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow did and what it took."""

    ops: int
    """level operations sent plus takers"""
    envelopes: int
    prepare_seconds: float
    """planning and signing, before the clock"""
    seconds: float
    """from the first request until the validator's root equals the sequencer's"""
    ops_per_s: float
    feed_seconds: float
    times_real_time: float
    applied_share: float
    rejected_by_reason: dict[str, int]
    takers: int
    takers_filled: int
    """takers whose whole size was filled"""
    fills: int
    batches: int
    l1_bytes: int
    """calldata of all batches"""
    l1_bytes_per_op: float
    l1_bytes_floor_per_op: float
    """(64 x signatures + entropy of the fields) / ops"""
    l1_gas_per_op: float
    memory_mb: int
    """peak, all processes"""
    sequencer_root: str
    validator_root: str
    equal: bool


ROWS = (
    ("operations", "{ops:,} in {envelopes:,} envelopes"),
    ("prepared in", "{prepare_seconds:.1f} s (planning, signing)"),
    ("clock", "{seconds:.1f} s for {feed_seconds:.1f} s of feed"),
    ("speed", "{ops_per_s:,.0f} operations/s, {times_real_time:.1f} times real time"),
    ("applied", "{applied_share:.4%}"),
    ("rejected", "{rejected}"),
    ("takers filled", "{takers_filled:,} of {takers:,}, {fills:,} fills"),
    ("L1", "{batches:,} batches, {l1_bytes:,} bytes"),
    ("L1 bytes per operation", "{l1_bytes_per_op:.2f} (floor {l1_bytes_floor_per_op:.2f})"),
    ("L1 gas per operation", "{l1_gas_per_op:.0f}"),
    ("memory", "{memory_mb:,} MB at most, all processes"),
    ("sequencer's root", "{sequencer_root}"),
    ("validator's root", "{validator_root}"),
    ("equal", "{verdict}"),
)


def print_table(result: FlowResult, console: Console) -> None:
    """Show a result to people."""
    rejected = ", ".join(f"{slug} {count:,}" for slug, count in result.rejected_by_reason.items())
    fields = {
        **msgspec.structs.asdict(result),
        "rejected": rejected or "none",
        "verdict": "[green]yes" if result.equal else "[red]NO",
    }
    table = Table(box=None, title="flow", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in ROWS:
        table.add_row(name, text.format(**fields))
    console.print(table)
