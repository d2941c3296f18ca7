"""
Deployment: which contracts on which L1 make up a rollup, and its clocks.

In:    the file that `bridge.deploy` writes.
Out:   `Deployment`.
Holds: whoever has an L1 URL and this file can rebuild the whole state.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import DeploymentError
from bridge.l1 import client
from bridge.l1.client import L1

ADDRESS_BYTES = 20
ROOT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Deployment:
    """Addresses, ids, clocks (seconds) and the first root."""

    l1_chain_id: int
    l2_chain_id: int
    inbox: bytes
    vault: bytes
    rollup: bytes
    token: bytes
    token_unit_e9: int
    governor: bytes
    poster: bytes
    deploy_block: int
    genesis_root: bytes
    version: int
    epoch_s: int
    window_s: int
    max_wait_s: int
    max_lag_s: int
    # L1 blocks after which the sequencer takes a direct input.
    direct_depth: int

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        row = {
            name: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in dataclasses.asdict(self).items()
        }
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(row, indent=2) + "\n", encoding="ascii")
        os.replace(aside, path)

    @staticmethod
    def load(path: Path) -> Deployment:
        """Read the file; raise `DeploymentError` with what is wrong in it."""
        try:
            row = json.loads(path.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise DeploymentError(f"cannot read the deployment file {path}: {error}") from error
        if not isinstance(row, dict):
            raise DeploymentError(f"{path} is not a deployment file: not an object")
        known = {item.name: item.type for item in dataclasses.fields(Deployment)}
        if set(row) != set(known):
            wrong = ", ".join(sorted(set(row) ^ set(known)))
            raise DeploymentError(f"{path}: missing or unknown fields: {wrong}")
        values: dict[str, Any] = {
            name: _value(path, name, kind, row[name]) for name, kind in known.items()
        }
        return Deployment(**values)

    async def check(self, l1: L1) -> None:
        """Check that this L1 is the right one and has the contracts."""
        chain_id = await client.fetch_chain_id(l1)
        if chain_id != self.l1_chain_id:
            raise DeploymentError(
                f"the L1 has chain id {chain_id}, the deployment is on {self.l1_chain_id}"
            )
        code = await l1.request("eth_getCode", [client.to_hex(self.inbox), "latest"])
        if code in ("0x", None):
            raise DeploymentError(
                f"no contract at the inbox {client.to_hex(self.inbox)}: the L1 was started "
                "anew, or this is the file of another one"
            )


def _value(path: Path, name: str, kind: Any, given: Any) -> int | bytes:
    if kind in ("int", int):
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return given
        raise DeploymentError(f"{path}: {name} must be a number of 0 or more")
    size = ROOT_BYTES if name == "genesis_root" else ADDRESS_BYTES
    if isinstance(given, str) and len(given) == 2 + 2 * size and given.startswith("0x"):
        try:
            return bytes.fromhex(given[2:])
        except ValueError:
            pass
    raise DeploymentError(f"{path}: {name} must be hex of {size} bytes")
