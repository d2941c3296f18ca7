"""Folders, ports and children of the devnet."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from sequencer import devnet
from sequencer.devnet import ROLES, Devnet, DevnetError, DevnetOptions, check_ports, read_devnet
from sequencer.flow.collect import reason_slug
from sequencer.oracle_command import LineError, Prices
from sequencer.processes import ChildError, Children, end_leftovers, memory_bytes

SLEEP = "import time; print('up at 7', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


async def test_a_child_is_ready_when_it_says_so_and_ends_when_told(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = await children.start("one", [sys.executable, "-c", SLEEP])
    assert await child.ready_line(r"up at (\d+)") == "7"
    assert children.pids() == {"one": child.pid}
    assert children.memory_bytes() > memory_bytes(os.getpid()) > 1 << 20
    await children.stop()
    assert not child.is_running


async def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = await children.start("stubborn", [sys.executable, "-c", STUBBORN])
    await child.ready_line(r"up at (\d+)")
    await child.stop(timeout_s=0.2)
    assert child.process.returncode == -9


async def test_a_child_that_fails_is_reported_with_its_last_words(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = await children.start("bad", [sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(ChildError, match=r"(?s)bad ended with code 1.*no luck"):
        await child.ready_line("up")
    assert await children.first_ended() is child


async def test_what_a_killed_parent_left_behind_is_ended_and_nothing_else(tmp_path: Path) -> None:
    children = Children(tmp_path)
    ours = await children.start("ours", [sys.executable, "-c", SLEEP, "mark-of-the-folder"])
    other = await children.start("other", [sys.executable, "-c", SLEEP])
    await ours.ready_line(r"up at (\d+)")
    await other.ready_line(r"up at (\d+)")
    reaping = asyncio.create_task(ours.process.wait())
    await end_leftovers([ours.pid, other.pid], "mark-of-the-folder")
    await reaping
    assert not ours.is_running
    assert other.is_running
    await children.stop()


def test_a_port_in_use_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = DevnetOptions(tmp_path, l1_port=0, rpc_port=port, metrics_port=0)
        with pytest.raises(DevnetError, match=f"port {port} is in use.*--rpc-port"):
            check_ports(options)
        # With another L1 the port of the embedded one does not matter.
        other = DevnetOptions(tmp_path, "http://x", l1_port=port, rpc_port=0, metrics_port=0)
        check_ports(other)


async def test_a_folder_has_one_devnet(tmp_path: Path) -> None:
    options = DevnetOptions(tmp_path, l1_port=0, rpc_port=0, metrics_port=0)
    with devnet._locked(tmp_path / "lock"):
        with pytest.raises(DevnetError, match=f"process {os.getpid()}.*--folder"):
            async with Devnet(options):
                pass


def test_a_missing_or_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DevnetError, match="novation devnet"):
        read_devnet(tmp_path / "devnet.json")
    (tmp_path / "devnet.json").write_text("{}")
    with pytest.raises(DevnetError, match="damaged"):
        read_devnet(tmp_path / "devnet.json")


def test_roles_have_keys_of_their_own() -> None:
    keys = {devnet.role_account(role).key for role in ROLES}
    assert len(keys) == len(ROLES)


def test_prices_are_exact_decimals() -> None:
    prices = Prices()
    assert prices.take("3 61800.123456789\n") == 3
    assert prices.price_e9(3) == 61_800_123_456_789
    assert prices.price_e9(0) == 0
    for line in ("", "1", "1 x", "1 -5", "1 0", "1 0.0000000001", "x 5", "1 nan"):
        with pytest.raises(LineError):
            prices.take(line)


def test_reasons_have_their_slugs() -> None:
    assert reason_slug(106) == "post_only_would_cross"
    assert reason_slug(60_000) == "reason_60000"
