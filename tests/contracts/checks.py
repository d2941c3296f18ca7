"""
What a test asks of an outcome: success, or a refusal by name with its numbers.

In:    an `Outcome`.
Out:   nothing, or an AssertionError that names what came instead.
Holds: the error selectors of all artifacts.
Not here: steps (`world.py`).
"""

from __future__ import annotations

import functools
import json
from typing import Any

from eth_abi.abi import decode

from bridge.contracts import ARTIFACTS
from tests.contracts.chains import Outcome
from tests.contracts.world import signature_of, types_of


@functools.cache
def _errors() -> dict[bytes, dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    for file in sorted(ARTIFACTS.glob("*.json")):
        for entry in json.loads(file.read_text(encoding="utf-8"))["abi"]:
            if entry["type"] == "error":
                found[signature_of(entry)[:4]] = entry
    return found


def explain(output: bytes) -> tuple[Any, ...]:
    """Give a revert's name and arguments."""
    entry = _errors().get(output[:4])
    if entry is None:
        return ("unknown error", output.hex())
    return (entry["name"], *decode(types_of(entry["inputs"]), output[4:]))


def accepted(outcome: Outcome) -> Outcome:
    assert outcome.ok, explain(outcome.output)
    return outcome


def refused(outcome: Outcome, name: str, *args: Any) -> None:
    """Check a refusal: the error's name, and as many of its arguments as are given."""
    assert not outcome.ok, f"expected {name}, but it was accepted"
    given = explain(outcome.output)
    assert given[0] == name, given
    normal = tuple("0x" + arg.hex() if _is_address(arg) else arg for arg in args)
    assert given[1 : 1 + len(args)] == normal, given


def _is_address(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 20
