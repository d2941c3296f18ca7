"""
Governance inputs (docs/formats.md §8): the data of direct inputs of kind 7.

In:    parameters with their units.
Out:   packed bytes, big-endian.
Not here: sending them (`deploy`), judging them (`state`).
"""

from __future__ import annotations

from dataclasses import dataclass

NAME_BYTES = 16


@dataclass(frozen=True, slots=True)
class Market:
    """Parameters of a perpetual market. Mark cap is at most a quarter of the maintenance rate."""

    market: int
    name: str
    feed: int
    tick_e9: int
    lot_e9: int
    min_notional_e9: int
    imf_ppm: int
    mmf_ppm: int
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 350
    band_ppm: int = 100_000
    mark_cap_ppm: int = 2_500
    stress_ppm: int = 100_000
    state: int = 0


BTC_PERPETUAL = Market(
    market=0,
    name="BTC-PERPETUAL",
    feed=0,
    tick_e9=10**8,
    lot_e9=10**6,
    min_notional_e9=10**9,
    imf_ppm=20_000,
    mmf_ppm=10_000,
)
ETH_PERPETUAL = Market(
    market=1,
    name="ETH-PERPETUAL",
    feed=1,
    tick_e9=10**7,
    lot_e9=10**7,
    min_notional_e9=10**9,
    imf_ppm=20_000,
    mmf_ppm=10_000,
)


def set_chain(tick_ms: int, max_age_ms: int) -> bytes:
    """Clock of the oracle: how often marks move, how old a report may be."""
    return bytes([1]) + tick_ms.to_bytes(8, "big") + max_age_ms.to_bytes(8, "big")


def set_asset(token: bytes, vault: bytes, unit_e9: int) -> bytes:
    """The quote asset; `unit_e9` is what one token unit is worth in 1e-9 USD."""
    return bytes([2]) + token + vault + unit_e9.to_bytes(8, "big")


def set_reporter(index: int, address: bytes) -> bytes:
    """Who signs prices."""
    return bytes([3, index]) + address


def set_market(market: Market) -> bytes:
    """A market, new or changed."""
    name = market.name.encode("ascii")
    assert len(name) <= NAME_BYTES
    assert market.tick_e9 * market.lot_e9 % 10**9 == 0
    return b"".join(
        (
            bytes([4]),
            market.market.to_bytes(4, "big"),
            bytes([market.state]),
            name.ljust(NAME_BYTES, b"\x00"),
            market.feed.to_bytes(4, "big"),
            market.tick_e9.to_bytes(8, "big"),
            market.lot_e9.to_bytes(8, "big"),
            market.min_notional_e9.to_bytes(8, "big"),
            market.imf_ppm.to_bytes(4, "big"),
            market.mmf_ppm.to_bytes(4, "big"),
            market.maker_fee_ppm.to_bytes(4, "big", signed=True),
            market.taker_fee_ppm.to_bytes(4, "big"),
            market.band_ppm.to_bytes(4, "big"),
            market.mark_cap_ppm.to_bytes(4, "big"),
            market.stress_ppm.to_bytes(4, "big"),
        )
    )
