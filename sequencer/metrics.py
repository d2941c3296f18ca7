"""
Metrics: what the node counts and measures, declared in one place.

In:  the parts of the sequencer.
Out: a registry of its own, served on the metrics port.

Names are `<package>_<noun>_<unit>[_total]`; labels come from closed sets, never an account or an
order. Each help text says what a rise means. Numbers in comments are those of the design's list.

Holds: nothing that can be computed from another metric.
Not here: metrics of L1 and of posting (63, 64, 67, 71, 77): `bridge.metrics`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)

_FAST_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
PHASES = ("starting", "replay", "l1_sync", "resequencing", "live", "draining", "failed")


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
    return Histogram(name, text, labels, registry=REGISTRY, buckets=_FAST_S)


# 1, 2, 4
INFO = _gauge("sequencer_info", "1; labels say what runs", ("version", "chain_id", "network"))
UP = _gauge("sequencer_up", "1 once the node answers; 0 = it starts or stops")
PHASE = _gauge("sequencer_phase", "1 for the phase the node is in", ("phase",))
# 7 to 10
RPC_REQUESTS = _counter(
    "sequencer_rpc_requests_total",
    "calls answered; a jump of result=error is a client or us gone wrong",
    ("transport", "method", "result"),
)
RPC_DURATION = _histogram(
    "sequencer_rpc_request_duration_seconds",
    "time to answer; a rise = the queue grows or the disk is slow",
    ("transport", "method"),
)
RPC_ERRORS = _counter(
    "sequencer_rpc_errors_total", "errors by code; -32603 is ours", ("method", "code")
)
RPC_INFLIGHT = _gauge("sequencer_rpc_inflight_requests", "calls being answered", ("transport",))
WS_CONNECTIONS = _gauge("sequencer_ws_connections", "WebSockets open")
WS_SLOW = _counter(
    "sequencer_ws_slow_disconnects_total", "WebSockets closed for reading too slowly"
)
# 17 to 22
RECEIVED = _counter("sequencer_inputs_received_total", "inputs that came in", ("kind",))
REJECTED = _counter("sequencer_inputs_rejected_total", "inputs refused", ("kind", "reason"))
QUEUE = _gauge("sequencer_queue_inputs", "inputs that wait; growth = overload", ("queue",))
QUEUE_WAIT = _histogram("sequencer_queue_wait_seconds", "wait before work began", ("queue",))
VERIFY = _histogram("sequencer_signature_verify_seconds", "one call of the native verifier")
ACK = _histogram(
    "sequencer_receipt_latency_seconds", "from receipt of the request to durable result", ("kind",)
)
# 23 to 25
ORDERS = _counter("sequencer_orders_total", "placements by outcome", ("outcome",))
CANCELS = _counter("sequencer_cancels_total", "orders that left the book unfilled")
TRADES = _counter("sequencer_trades_total", "fills")
OPERATIONS_REJECTED = _counter(
    "sequencer_operations_rejected_total", "operations rejected in executed envelopes", ("reason",)
)
EXECUTE = _histogram("sequencer_execute_seconds", "execution of one commit group")
# 38
ORACLE_AGE = _gauge(
    "sequencer_oracle_price_age_seconds", "age of the index; over 30 s = reduce only", ("market",)
)
# 48
BLOCK_HEAD = _gauge("sequencer_block_head", "newest block by stage", ("stage",))
# 54, 55
COMMIT = _histogram("state_commit_seconds", "root and storing of one batch")
# 56, 57
FSYNC = _histogram("sequencer_journal_fsync_seconds", "one write and fdatasync of the journal")
JOURNAL_BYTES = _counter("sequencer_journal_written_bytes_total", "bytes written to the journal")
# 61
REPLAY_MISMATCH = _counter(
    "state_replay_mismatch_total", "a replayed batch differs from L1: stop and keep everything"
)
# 81
LOOP_LAG = _histogram("sequencer_event_loop_lag_seconds", "how late the event loop comes round")
GC_PAUSE = _histogram("sequencer_gc_pause_seconds", "garbage collection")
CORE_QUEUE = _gauge("sequencer_core_queue_groups", "commit groups that wait for execution")


def set_phase(phase: str) -> None:
    """Name the phase the node is in."""
    assert phase in PHASES
    for each in PHASES:
        PHASE.labels(each).set(1 if each == phase else 0)
    UP.set(1 if phase == "live" else 0)


async def sample_loop_lag(interval_s: float = 0.1) -> None:
    """Measure for ever how late a timer fires."""
    while True:
        started = time.perf_counter()
        await asyncio.sleep(interval_s)
        LOOP_LAG.observe(max(0.0, time.perf_counter() - started - interval_s))


def watch_gc() -> Callable[[], None]:
    """Measure garbage collections; returns what ends that."""
    started = 0.0

    def on_gc(phase: str, _info: dict[str, Any]) -> None:
        nonlocal started
        if phase == "start":
            started = time.perf_counter()
        else:
            GC_PAUSE.observe(time.perf_counter() - started)

    def stop() -> None:
        with contextlib.suppress(ValueError):
            gc.callbacks.remove(on_gc)

    gc.callbacks.append(on_gc)
    return stop
