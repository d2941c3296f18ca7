"""
Committed JSON that tests compare with: vectors and costs.

In:    what a test computed. Out: an assertion; with NOVATION_UPDATE=1 the file is written instead.
Holds: nothing.
Not here: what the files mean (`test_hashes.py`, `test_costs.py`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
VECTORS = TESTS / "vectors" / "l1_hashes.json"
COSTS = TESTS / "contracts" / "gas.json"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def compare(path: Path, computed: dict[str, Any]) -> None:
    """Check that the committed file says what was computed."""
    if os.environ.get("NOVATION_UPDATE") == "1":
        path.write_text(json.dumps(computed, indent=1) + "\n", encoding="utf-8")
    committed = read(path)
    different = sorted(
        key for key in committed.keys() | computed.keys() if committed.get(key) != computed.get(key)
    )
    changes = {key: (committed.get(key), computed.get(key)) for key in different}
    advice = "NOVATION_UPDATE=1 rewrites it"
    assert not changes, f"{path.name}: committed, computed: {changes}; {advice}"
