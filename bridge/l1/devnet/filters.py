"""
Filters of the embedded L1: `eth_newFilter` and its kin, which some clients poll.

In:    queries; polls.
Out:   what is new since the last poll.
Holds: at most `FILTERS_MAX`; the oldest makes room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bridge.l1.devnet import parse, render
from bridge.l1.devnet.chain import Chain
from bridge.l1.devnet.failure import RpcFailureError

FILTERS_MAX = 256
Kind = Literal["blocks", "logs", "pending"]


@dataclass(slots=True)
class Filter:
    """One installed filter; `next` is the block, or the pool's arrival, to begin at."""

    kind: Kind
    next: int
    query: dict[str, Any]


class Filters:
    """Installed filters by their number."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._filters: dict[int, Filter] = {}
        self._count = 0

    def add_blocks(self) -> str:
        """Follow new blocks."""
        return self._add(Filter("blocks", self._chain.head.block_number + 1, {}))

    def add_pending(self) -> str:
        """Follow transactions that enter the pool."""
        _, arrival = self._chain.pool.hashes_since(0)
        return self._add(Filter("pending", arrival, {}))

    def add_logs(self, query: Any) -> str:
        """Follow logs."""
        parse.log_filter(query)
        return self._add(Filter("logs", self._chain.head.block_number + 1, query))

    def remove(self, name: Any) -> bool:
        """Forget a filter."""
        return self._filters.pop(parse.quantity(name, "filter"), None) is not None

    def logs(self, name: Any, search: Callable[[Any], list[Any]]) -> list[Any]:
        """Return all logs of a filter's query."""
        return search(self._find(name).query)

    def changes(self, name: Any) -> list[Any]:
        """Return what is new."""
        found = self._find(name)
        if found.kind == "pending":
            fresh, found.next = self._chain.pool.hashes_since(found.next)
            return [render.data(tx_hash) for tx_hash in fresh]
        head = self._chain.head.block_number
        # After a revert the filter begins again at the new head.
        first, found.next = min(found.next, head + 1), head + 1
        if found.kind == "blocks":
            return [render.data(self._chain.header(n).hash) for n in range(first, head + 1)]
        wanted = parse.log_filter(found.query)
        return [log for log in self._chain.index.logs(first, head) if wanted.matches(log)]

    def _add(self, item: Filter) -> str:
        self._count += 1
        self._filters[self._count] = item
        while len(self._filters) > FILTERS_MAX:
            del self._filters[next(iter(self._filters))]
        return render.quantity(self._count)

    def _find(self, name: Any) -> Filter:
        found = self._filters.get(parse.quantity(name, "filter"))
        if found is None:
            raise RpcFailureError("filter not found")
        return found
