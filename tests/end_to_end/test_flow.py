"""`novation flow`: the recorded feed through the whole stack, its result on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("NOVATION_FLOW_SECONDS") or 5)
"""Of the feed; CI takes 30."""

KEYS = (
    "ops envelopes prepare_seconds seconds ops_per_s feed_seconds times_real_time applied_share "
    "rejected_by_reason takers takers_filled fills batches l1_bytes l1_bytes_per_op "
    "l1_bytes_floor_per_op l1_gas_per_op memory_mb sequencer_root validator_root equal"
).split()


async def flow(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sequencer", "flow", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_feed_is_executed_posted_and_derived_to_the_same_root(data_dir: Path) -> None:
    feed = data_dir / "binance_btcusdt_perp_20240808.ndjson.gz"
    code, out, err = await flow(str(feed), "--seconds", str(SECONDS), "--json")
    assert code == 0, err
    result = json.loads(out)
    assert list(result) == KEYS
    assert result["equal"] is True
    assert result["sequencer_root"] == result["validator_root"]
    assert len(result["sequencer_root"]) == 66
    assert result["applied_share"] >= 0.9
    assert result["takers_filled"] >= 0.9 * result["takers"] > 0
    assert result["fills"] >= result["takers_filled"]
    assert result["memory_mb"] < 2_048
    assert result["l1_bytes_per_op"] > result["l1_bytes_floor_per_op"] > 0


@pytest.mark.parametrize(("content", "says"), [("", "nothing to send"), ("nonsense\n", "line 1")])
async def test_a_file_that_is_no_feed_gives_one_line(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "feed.ndjson"
    path.write_text(content)
    code, out, err = await flow(str(path), "--json")
    assert (code, out) == (1, "")
    assert says in err
    assert "Traceback" not in err
