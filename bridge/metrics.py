"""
Metrics of the bridge, declared in one place.

In:  the poster, the follower, the wallets, the validator.
Out: a registry of its own, which the node and the validator serve beside theirs.

Names are `bridge_<noun>_<unit>[_total]`. Each help text says what a rise means. Numbers in comments
are those of the design's list.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

# Two more series per counter and histogram, which nothing here or in a dashboard would read.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry(auto_describe=True)

_BLOCKS = (1, 2, 3, 5, 8, 16, 32, 64, 128)
_SECONDS = (0.5, 1, 2, 5, 10, 20, 60, 180, 600, 1_800, 3_600)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


# 63, 64
OLDEST_UNPOSTED_AGE = _gauge(
    "bridge_poster_oldest_unposted_age_seconds",
    "age of the oldest batch that is not on L1; a rise = L1 is down, too dear, or the key is empty",
)
BATCHES = _counter(
    "bridge_poster_batches_total",
    "batches by what became of them; displaced ones must be sequenced anew",
    ("da", "result"),
)
QUEUED = _gauge("bridge_poster_queued_batches", "batches that wait for L1; a rise = L1 is behind")
POSTED_BYTES = _counter("bridge_posted_bytes_total", "bytes of batches that landed")
GAS_USED = _counter("bridge_l1_gas_used_total", "gas of our transactions that landed", ("action",))
# 67
L1_HEAD = _gauge("bridge_l1_head_block", "newest L1 block seen; standing still = L1 is down")
L1_REORGS = _counter("bridge_l1_reorgs_total", "reorganisations of L1 that we followed")
L1_REORG_DEPTH = Histogram(
    "bridge_l1_reorg_depth",
    "blocks that a reorganisation took away; deep ones question the chosen depths",
    buckets=_BLOCKS,
    registry=REGISTRY,
)
# 69
TX_PENDING = _gauge("bridge_l1_tx_pending", "our transactions that have not landed", ("role",))
TX_BUMPS = _counter(
    "bridge_l1_tx_gas_bumps_total", "fee rises; a rise = our fees are too low", ("role",)
)
TX_CONFIRM = Histogram(
    "bridge_l1_tx_confirm_seconds",
    "time from sending to landing",
    ("role",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
# 71
SIGNER_BALANCE = _gauge(
    "bridge_l1_signer_balance_eth",
    "what a key still has to pay gas with; fill it up in time",
    ("role",),
)
# 72, 73
EPOCHS = _gauge("bridge_epochs", "epochs by stage", ("stage",))
WRONG_CLAIMS = _counter(
    "bridge_wrong_claims_total", "claims with another commitment than ours; a person must act"
)
# 76, 77
DIRECT_WAITING = _gauge("bridge_direct_inputs_waiting", "direct inputs that no record has drained")
SOLVENCY = _gauge(
    "bridge_solvency_difference",
    "what the vault holds minus what the rollup owes, in token units; must never be below 0",
    ("asset",),
)
