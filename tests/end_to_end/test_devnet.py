"""`novation devnet` as a process: ready, stopped by Ctrl-C, started again, killed, started over."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sequencer.devnet import DevnetFile
from sequencer.sdk.client import Client
from sequencer.sdk.deposit import balances

READY_S_MAX = 40
"""Ready in ten seconds on two idle cores; tests share theirs."""


async def start(folder: Path, *more: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sequencer", "devnet", "--folder", str(folder), "--json"),
        *("--l1-port", "0", "--rpc-port", "0", "--metrics-port", "0", *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_S_MAX)
    return process, json.loads(line)


async def quotes(file: dict[str, Any]) -> dict[str, Any]:
    """Wait for the bots' quotes on both markets; the book of the first."""
    deadline = time.monotonic() + READY_S_MAX
    async with Client(file["url"]) as node:
        while True:
            books = [
                await node.call("public/get_order_book", name, 5)
                for name in ("BTC-PERPETUAL", "ETH-PERPETUAL")
            ]
            if all(book["bids"] and book["asks"] for book in books):
                found: dict[str, Any] = books[0]
                return found
            assert time.monotonic() < deadline, books
            await asyncio.sleep(0.1)


async def state(file: dict[str, Any]) -> tuple[int, int]:
    """Inputs so far, and the money of the first maker."""
    maker = next(row["address"] for row in file["keys"] if row["role"] == "maker 1")
    async with Client(file["url"]) as node:
        sync = await node.call("rollup_syncStatus")
        (view,) = await balances(node, [bytes.fromhex(maker[2:])])
        return sync["next_seq"], view.balance_e9


async def test_a_devnet_keeps_its_state_and_starts_over_when_asked(tmp_path: Path) -> None:
    process, file = await start(tmp_path)
    assert set(file) == set(DevnetFile.__struct_fields__)
    assert file["l2_chain_id"] == 412_000
    book = await quotes(file)
    assert 50_000 < float(book["best_bid_price"]) < float(book["best_ask_price"]) < 70_000
    inputs, money = await state(file)
    assert money == 2_000_000 * 10**9
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 40) == 0

    process, again = await start(tmp_path)
    assert again["l2_chain_id"] == 412_000
    later, same_money = await state(again)
    assert later >= inputs
    assert same_money == money
    await quotes(again)
    process.kill()
    await process.wait()

    process, fresh = await start(tmp_path, "--fresh")
    try:
        assert fresh["l2_chain_id"] == 412_001
        assert not _alive(again["pids"]), "what the killed one left behind is still there"
        await quotes(fresh)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 40) == 0
    assert not _alive(fresh["pids"])


def _alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]
