"""
Unmodified web3.py and ethers against a devnet: deposit on L1, trade, withdraw, be paid on L1.

The scripts are what a user would write; the devnet is the one of `novation devnet`, with short
epochs so that a withdrawal is confirmed within seconds.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sequencer.devnet import Devnet, DevnetOptions

HERE = Path(__file__).parent
SCRIPT_S_MAX = 60
FREE = {"l1_port": 0, "rpc_port": 0, "metrics_port": 0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def devnet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    folder = tmp_path_factory.mktemp("devnet")
    options = DevnetOptions(folder=folder, epoch_s=3, window_s=3, **FREE)
    async with Devnet(options) as running:
        yield running.path


async def run_script(*command: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SCRIPT_S_MAX)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-3_000:]
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.mark.asyncio(loop_scope="module")
async def test_web3_deposits_trades_withdraws_and_is_paid_on_l1(devnet: Path) -> None:
    answer = await run_script(sys.executable, str(HERE / "wallet.py"), str(devnet))
    assert answer["traded_e9"] == answer["position_e9"] == 10_000_000
    assert answer["withdrawn"] == answer["paid"] == 4_000_000_000
    assert 50_000 * 10**9 < answer["price_e9"] < 70_000 * 10**9


@pytest.mark.asyncio(loop_scope="module")
async def test_ethers_places_replaces_cancels_and_withdraws(devnet: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (HERE / "node_modules" / "ethers").is_dir():
        pytest.skip("ethers is not installed: npm ci in tests/end_to_end")
    answer = await run_script(node, str(HERE / "wallet.mjs"), str(devnet))
    assert answer == {
        "placed": "OrderPlaced",
        "replaced": "OrderReplaced",
        "same_id": True,
        "open_e9": "20000000",
        "moved_e9": "100000000",
        "cancelled": "OrderCancelled",
        "gone": True,
        "again": "OperationRejected",
        "reason": "108",
        "withdrawn": "10000000000",
        "left_e9": "0",
    }
