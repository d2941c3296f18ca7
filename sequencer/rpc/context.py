"""
Context: what handlers may use.

In:  the parts of a node.
Out: one object, passed to every handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.deployment import Deployment
from sequencer.queries import Queries


@dataclass(frozen=True, slots=True)
class Context:
    """What handlers may use."""

    chain_id: int
    deployment: Deployment
    queries: Queries
    signer: bytes
    phase: Callable[[], str]
    l1_block: Callable[[], int]
    lag: Callable[[], float]
    now_ms: Callable[[], int]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a slow read off the event loop."""
