"""
Feed: a recorded exchange feed as typed records, one by one.

In:  an `.ndjson.gz` (or plain `.ndjson`) file: `<receive time, ns> <message>` a line.
Out: `DepthUpdate`, `DepthSnapshot`, `FeedTrade`, in order, prices in ticks, sizes in lots.

Holds: memory does not grow with the file; a price off the tick or a size off the lot is an error,
never rounded. Best-quote messages are left out: the book that the updates build has them.
Not here: what is made of the records (`sequencer.flow.plan`).
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import msgspec

NS_PER_MS = 1_000_000
LINE_BYTES_MAX = 16 << 20

# One tick is 0.10 USD and one lot 0.001 BTC; the feed writes two and three decimals.
PRICE_DECIMALS = 2
PRICE_UNITS_PER_TICK = 10
SIZE_DECIMALS = 3

Levels = list[tuple[int, int]]
"""`(tick, lots)`; 0 lots = the level is gone."""


@dataclass(frozen=True, slots=True)
class DepthUpdate:
    """New total sizes of some price levels, over the exchange's ids `first_id` to `last_id`."""

    time_ms: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class DepthSnapshot:
    """The best levels of both sides as they were at `last_id`."""

    time_ms: int
    last_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class FeedTrade:
    """A trade; `buy` is the aggressor's side."""

    time_ms: int
    tick: int
    lots: int
    buy: bool


FeedRecord = DepthUpdate | DepthSnapshot | FeedTrade


class FeedError(ValueError):
    """The file is not a feed that this reader knows."""


_Pairs = list[tuple[str, str]]


class _Data(msgspec.Struct):
    """The fields of both kinds of stream messages that matter here."""

    e: str
    U: int = 0
    u: int = 0
    b: _Pairs = []
    a: _Pairs = []
    p: str = ""
    q: str = ""
    m: bool = False


class _Message(msgspec.Struct):
    stream: str = ""
    data: _Data | None = None
    lastUpdateId: int = 0  # noqa: N815  (the exchange's name)
    bids: _Pairs = []
    asks: _Pairs = []


def read_feed(path: Path, seconds: float | None = None) -> Iterator[FeedRecord]:
    """
    Yield the records of the first `seconds` of the file (None: of all of it).

    Raises
    ------
    FeedError
        Names the line that cannot be read.
    """
    decode = msgspec.json.Decoder(_Message).decode
    end_ms: float | None = None
    with _open(path) as lines:
        number = 0
        while line := lines.readline(LINE_BYTES_MAX):
            number += 1
            if b"@bookTicker" in line[:64]:
                continue
            time_ns, _, text = line.partition(b" ")
            try:
                time_ms = int(time_ns) // NS_PER_MS
                record = _record(time_ms, decode(text))
            except (ValueError, msgspec.DecodeError) as error:
                raise FeedError(f"{path.name}, line {number}: {error}") from error
            if end_ms is None:
                end_ms = time_ms + seconds * 1_000 if seconds is not None else float("inf")
            if time_ms > end_ms:
                return
            if record is not None:
                yield record


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _record(time_ms: int, message: _Message) -> FeedRecord | None:
    data = message.data
    if data is None:
        if not message.lastUpdateId:
            raise ValueError("neither a stream message nor a depth snapshot")
        bids, asks = _levels(message.bids), _levels(message.asks)
        return DepthSnapshot(time_ms, message.lastUpdateId, bids, asks)
    if data.e == "depthUpdate":
        return DepthUpdate(time_ms, data.U, data.u, _levels(data.b), _levels(data.a))
    if data.e == "trade":
        # `m`: the buyer was the maker, so the aggressor sold.
        return FeedTrade(time_ms, _tick(data.p), _lots(data.q), not data.m)
    return None


def _levels(pairs: _Pairs) -> Levels:
    return [(_tick(price), _lots(size)) for price, size in pairs]


def _tick(price: str) -> int:
    ticks, rest = divmod(_scaled(price, PRICE_DECIMALS), PRICE_UNITS_PER_TICK)
    if rest:
        raise ValueError(f"price {price} is between two ticks")
    return ticks


def _lots(size: str) -> int:
    return _scaled(size, SIZE_DECIMALS)


def _scaled(number: str, decimals: int) -> int:
    """The decimal `number` times 10^decimals; it must have exactly so many decimals."""
    if number[-decimals - 1 : -decimals] != ".":
        raise ValueError(f"{number!r} does not have {decimals} decimals")
    return int(number[: -decimals - 1] + number[-decimals:])
