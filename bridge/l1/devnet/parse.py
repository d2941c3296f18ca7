"""
Parameters of the embedded L1's methods, from JSON.

In:    values as clients write them: hex quantities, hex data, block tags, log filters.
Out:   integers, bytes, typed records.
Holds: what is malformed is refused by name with -32602.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.l1.devnet.failure import params_failure

ADDRESS_BYTES = 20
HASH_BYTES = 32
QUANTITY_LENGTHS = range(3, 67)
TOPICS_MAX = 4
CHOICES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs are asked for; an empty set of addresses or of choices takes all."""

    addresses: frozenset[str]
    topics: tuple[frozenset[str], ...]

    def matches(self, log: dict[str, Any]) -> bool:
        """Tell whether a log, as JSON, is wanted."""
        if self.addresses and log["address"] not in self.addresses:
            return False
        found = log["topics"]
        if len(self.topics) > len(found):
            return False
        return all(
            not wanted or topic in wanted for wanted, topic in zip(self.topics, found, strict=False)
        )


def quantity(value: Any, name: str) -> int:
    """Read an integer: hex as the standard has it, plain as some clients send it."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.startswith("0x") and len(value) in QUANTITY_LENGTHS:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise params_failure(f"invalid argument: {name} must be a hex quantity")


def data(value: Any, name: str, size: int | None = None) -> bytes:
    """Read bytes, of `size` bytes if given."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            found = bytes.fromhex(value[2:])
        except ValueError:
            found = None
        if found is not None and (size is None or len(found) == size):
            return found
    what = "hex data" if size is None else f"hex data of {size} bytes"
    raise params_failure(f"invalid argument: {name} must be {what}")


def address(value: Any, name: str) -> bytes:
    """Read an address."""
    return data(value, name, ADDRESS_BYTES)


def take(params: Sequence[Any], count: int, optional: int = 0) -> list[Any]:
    """Return exactly `count` required and up to `optional` further parameters, padded with None."""
    if len(params) < count:
        raise params_failure(f"missing value for required argument {len(params)}")
    if len(params) > count + optional:
        raise params_failure(f"too many arguments, want at most {count + optional}")
    return [*params, *([None] * (count + optional - len(params)))]


def log_filter(query: Any) -> LogFilter:
    """Read addresses and topics of a log query."""
    if not isinstance(query, dict):
        raise params_failure("invalid argument 0: filter must be an object")
    given = query.get("address")
    listed = [] if given is None else given if isinstance(given, list) else [given]
    topics = query.get("topics") or []
    if not isinstance(topics, list) or len(topics) > TOPICS_MAX or len(listed) > CHOICES_MAX:
        raise params_failure("invalid argument 0: too many addresses or topics")
    return LogFilter(
        addresses=frozenset("0x" + address(item, "address").hex() for item in listed),
        topics=tuple(_topic(item) for item in topics),
    )


def _topic(given: Any) -> frozenset[str]:
    listed = [] if given is None else given if isinstance(given, list) else [given]
    if len(listed) > CHOICES_MAX:
        raise params_failure("invalid argument 0: too many topics")
    if None in listed:
        return frozenset()
    return frozenset("0x" + data(item, "topic", HASH_BYTES).hex() for item in listed)
