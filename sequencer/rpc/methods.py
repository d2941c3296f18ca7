"""
Methods: the table of everything that can be called.

In:  handlers, each with its name, arguments and how it runs.
Out: `METHODS`, filled when `eth`, `public` and `rollup` are imported.

Holds: one entry per name; a handler that reads the engine or the disk runs in a thread.
Not here: decoding (`wire`), writes (`dispatch`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sequencer.rpc.params import Params

if TYPE_CHECKING:
    from sequencer.rpc.context import Context

Runs = Literal["loop", "thread", "async"]
Handler = Callable[["Context", Params], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One method."""

    name: str
    arguments: tuple[str, ...]
    runs: Runs
    handler: Handler


METHODS: dict[str, Method] = {}


def method(name: str, *arguments: str, runs: Runs = "thread") -> Callable[[Handler], Handler]:
    """Declare a method."""

    def declare(handler: Handler) -> Handler:
        assert name not in METHODS, name
        METHODS[name] = Method(name, arguments, runs, handler)
        return handler

    return declare
