"""
Pending transactions on disk: one small file per nonce.

In:    each version of a transaction, before it is sent.
Out:   what was in flight when the process ended.
Holds: a file is whole or absent (written aside, then renamed).
Not here: what to do with them (`wallet`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from bridge.l1.signing import Fields


@dataclass(frozen=True, slots=True)
class Saved:
    """A transaction as it was last sent."""

    fields: Fields
    hashes: list[bytes]
    action: str


class PendingFolder:
    """Files of one wallet."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def save(self, saved: Saved) -> None:
        """Write, or write over, the file of a nonce."""
        fields = saved.fields
        row = {
            "chain_id": fields.chain_id,
            "nonce": fields.nonce,
            "tip_wei": fields.tip_wei,
            "max_fee_wei": fields.max_fee_wei,
            "gas": fields.gas,
            "to": fields.to.hex(),
            "value_wei": fields.value_wei,
            "data": fields.data.hex(),
            "hashes": [tx_hash.hex() for tx_hash in saved.hashes],
            "action": saved.action,
        }
        path = self._path(fields.nonce)
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(row), encoding="ascii")
        os.replace(aside, path)

    def remove(self, nonce: int) -> None:
        """Forget a nonce."""
        self._path(nonce).unlink(missing_ok=True)

    def load(self) -> list[Saved]:
        """Return everything, in order of nonce."""
        rows = [json.loads(path.read_text("ascii")) for path in self._folder.glob("*.json")]
        return sorted((_saved(row) for row in rows), key=lambda item: item.fields.nonce)

    def _path(self, nonce: int) -> Path:
        return self._folder / f"{nonce}.json"


def _saved(row: dict[str, object]) -> Saved:
    def number(name: str) -> int:
        return int(str(row[name]))

    hashes = row["hashes"]
    assert isinstance(hashes, list)
    fields = Fields(
        chain_id=number("chain_id"),
        nonce=number("nonce"),
        tip_wei=number("tip_wei"),
        max_fee_wei=number("max_fee_wei"),
        gas=number("gas"),
        to=bytes.fromhex(str(row["to"])),
        value_wei=number("value_wei"),
        data=bytes.fromhex(str(row["data"])),
    )
    return Saved(fields, [bytes.fromhex(item) for item in hashes], str(row["action"]))
