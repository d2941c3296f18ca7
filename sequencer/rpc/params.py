"""
Params: the arguments of one call, by place or by name, typed.

In:  the names that a method declares, and what the client sent.
Out: addresses, hashes, numbers; `RpcError` -32602 that names the argument otherwise.

Holds: integers are integers (a float is refused), hex is whole bytes, nothing is over-long.
Not here: what the arguments mean (`rpc.eth`, `rpc.public`, `rpc.rollup`).
"""

from __future__ import annotations

import re
from typing import Any

from sequencer.rpc.errors import invalid_params

MAX_HEX = 64 * 1024
MAX_TEXT = 128
MAX_DIGITS = 80
_U64 = 1 << 64
# Python's own `int` also takes signs, blanks, underscores and the digits of other scripts.
_INTEGER = re.compile(r"0x[0-9a-fA-F]+|-?[0-9]+")


class Params:
    """Arguments of one call."""

    __slots__ = ("_values",)

    def __init__(self, names: tuple[str, ...], given: list[Any] | dict[str, Any]) -> None:
        if type(given) is list and len(given) == 1 and type(given[0]) is dict:
            # Clients that know arrays only wrap named arguments in one.
            if names and not _takes_object(names):
                given = given[0]
        if isinstance(given, dict):
            for name in given:
                if name not in names:
                    known = ", ".join(names) or "none"
                    raise invalid_params(name[:64], "unknown", f"known are: {known}")
            self._values = given
            return
        if len(given) > len(names):
            raise invalid_params(
                str(len(names)), f"too many arguments, want at most {len(names)}", ", ".join(names)
            )
        self._values = dict(zip(names, given, strict=False))

    def get(self, name: str) -> Any:
        """The argument as it came; None if absent."""
        return self._values.get(name)

    def data(self, name: str, *, default: bytes | None = None) -> bytes:
        """Bytes in hex."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        return hex_bytes(name, value)

    def fixed(self, name: str, size: int) -> bytes:
        """Just `size` bytes in hex."""
        value = hex_bytes(name, self._values.get(name))
        if len(value) != size:
            raise invalid_params(name, f"{size} bytes of hex are needed, {len(value)} came")
        return value

    def address(self, name: str) -> bytes:
        """An address."""
        return self.fixed(name, 20)

    def uint(self, name: str, *, default: int | None = None, maximum: int = _U64 - 1) -> int:
        """An integer: a JSON number, a decimal string or 0x-hex."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        return uint(name, value, maximum)

    def text(self, name: str, *, default: str | None = None) -> str:
        """A short string."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not str or len(value) > MAX_TEXT:
            raise invalid_params(name, "a short string is needed")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._values.get(name)
        if value is None:
            return default
        if type(value) is not bool:
            raise invalid_params(name, "true or false is needed")
        return value


def _takes_object(names: tuple[str, ...]) -> bool:
    """Whether the first argument is an object itself, as in Ethereum's methods."""
    return names[0] in ("transaction", "filter")


def hex_bytes(name: str, value: Any) -> bytes:
    """Decode 0x-hex."""
    if value is None:
        raise invalid_params(name, "missing required argument")
    if type(value) is not str or value[:2] not in ("0x", "0X"):
        raise invalid_params(name, "a 0x-prefixed hex string is needed")
    if len(value) > MAX_HEX:
        raise invalid_params(name, f"longer than {MAX_HEX} characters")
    data = whole_hex(value)
    if data is None:
        raise invalid_params(name, "whole bytes of hex are needed")
    return data


def whole_hex(text: str) -> bytes | None:
    """Decode what follows 0x; None unless it is whole bytes, without the blanks Python allows."""
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        return None
    return data if 2 * len(data) + 2 == len(text) else None


def uint(name: str, value: Any, maximum: int) -> int:
    """Decode an integer from a number, a decimal string or 0x-hex."""
    if value is None:
        raise invalid_params(name, "missing required argument")
    number = -1
    if type(value) is int:
        number = value
    elif type(value) is str and len(value) <= MAX_DIGITS and _INTEGER.fullmatch(value):
        number = int(value, 16) if value[:2] == "0x" else int(value)
    else:
        raise invalid_params(name, "an integer is needed")
    if not 0 <= number <= maximum:
        raise invalid_params(name, f"between 0 and {maximum} is needed")
    return number
