"""Each benchmark runs, and measures what it says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.bench.parts import PARTS, TINY
from tests.conftest import ROOT, SEED


@pytest.mark.parametrize("name", PARTS)
def test_a_benchmark_runs_and_gives_positive_figures(name: str) -> None:
    figures = PARTS[name](TINY, SEED)

    speeds = {key: value for key, value in figures.items() if "_per_s" in key or key[-3:] == "_ms"}
    assert speeds
    assert all(isinstance(value, int | float) and value > 0 for value in speeds.values()), figures


def test_the_command_prints_one_object_per_part() -> None:
    command = [sys.executable, "-m", "tests.bench", "engine", "codec", "--json", "--tiny"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["bench"] for row in rows] == ["engine", "codec"]
    assert rows[0]["operations"] == TINY.envelopes * 10
