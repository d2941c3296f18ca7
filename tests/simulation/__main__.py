"""
`python -m tests.simulation kill`: what survives when the node is killed again and again.

Out: progress on stderr; a table, or with `--json` one object, on stdout. Exit code 0: nothing lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
from dataclasses import asdict

from tests.simulation.kill import run_kills


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    kill = commands.add_parser("kill", help="kill -9 the node at random instants of a flow")
    kill.add_argument("--runs", type=int, default=20)
    kill.add_argument("--seed", type=int, default=None, help="else NOVATION_SEED, else random")
    kill.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seed = given.seed
    if seed is None:
        seed = int(os.environ.get("NOVATION_SEED") or secrets.randbits(32))
    print(f"seed {seed}", file=sys.stderr)
    result = asyncio.run(run_kills(given.runs, seed))
    row = asdict(result)
    if given.json:
        print(json.dumps(row))
    else:
        for name, value in row.items():
            print(f"{name:>16}  {value}")
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
