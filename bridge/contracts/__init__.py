"""
The L1 contracts as Python sees them: the committed artifacts.

In:    the name of a contract, as its Solidity file has it.
Out:   `Artifact` (ABI and creation bytecode).
Holds: nothing; artifacts are read once and kept.
Not here: compiling (`build.py`), sending anything to L1.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARTIFACTS = Path(__file__).parent / "artifacts"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract; an interface has no bytecode."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes


@functools.cache
def load(name: str) -> Artifact:
    """
    Read the artifact of contract `name`.

    Raises
    ------
    FileNotFoundError
        There is no such contract; the message lists those that exist.
    """
    path = ARTIFACTS / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in ARTIFACTS.glob("*.json")))
        raise FileNotFoundError(f"no contract artifact {name!r}; there are: {known}")
    content = json.loads(path.read_text(encoding="utf-8"))
    return Artifact(name=name, abi=content["abi"], bytecode=bytes.fromhex(content["bytecode"][2:]))
