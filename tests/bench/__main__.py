"""
`python -m tests.bench [PART ...]`: how fast single parts are on this machine.

Out: one line of JSON per part with `--json`, else a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform

from tests.bench.parts import PARTS, TINY, Sizes


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="one object per part")
    parser.add_argument("--tiny", action="store_true", help="only see whether it runs")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("NOVATION_SEED") or 1))
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part is called {unknown[0]}; known are {', '.join(PARTS)}")
    for part in given.parts or PARTS:
        figures = {"bench": part, "seed": given.seed, "cores": os.cpu_count() or 0}
        figures |= PARTS[part](TINY if given.tiny else Sizes(), given.seed)
        if given.json:
            print(json.dumps(figures | {"machine": platform.machine()}), flush=True)
            continue
        print(part)
        for name, value in figures.items():
            if name != "bench":
                print(f"  {name:<28} {value:>14,}", flush=True)


if __name__ == "__main__":
    main()
