"""
Devnet: a complete local rollup out of processes: L1, node, validator, reporters and makers.

In:  `DevnetOptions`; a folder that is kept across restarts.
Out: running processes, `devnet.json` in the folder (endpoints, test keys, files), log files.

Holds: one devnet per folder (a lock on a file, gone with the process); it ends only what it, or
an earlier one that was killed, has started.
Not here: what the processes do; the command line (`sequencer.devnet_command`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from bridge.deploy import Plan, deploy
from bridge.deployment import Deployment
from bridge.errors import BridgeError
from bridge.governance import BTC_PERPETUAL, ETH_PERPETUAL, Market
from bridge.l1.client import L1, fetch_balance, fetch_chain_id
from bridge.l1.devnet.accounts import TEST_MNEMONIC, Account, account
from bridge.l1.http import HttpL1
from bridge.l1.wallet import Wallet
from bridge.validator import KEY_VARIABLE
from sequencer.processes import Child, ChildError, Children, end_leftovers, python
from sequencer.sdk.client import Client, NodeUnreachableError, RpcError
from sequencer.sdk.deposit import Deposit, Funder

L2_CHAIN_ID_FIRST = 412_000
HOST = "127.0.0.1"
READY_S_MAX = 60.0
POLL_S = 0.05
E9 = 1_000_000_000
TOKEN_USD = 1_000_000
"""Units of test USD in one dollar."""

ETHER = 10**18
GAS_WEI = ETHER
"""What each role should have at least to pay for gas."""

TRANSFER_GAS = 21_000
MAKER_USD, USER_USD = 2_000_000, 1_000_000
FIRST_PRICES_E9 = {0: 60_000 * E9, 1: 3_000 * E9}

ROLES = (
    *("governor", "poster", "validator", "reporter 1", "reporter 2", "reporter 3"),
    *("sequencer", "maker 1", "maker 2", "faucet", "claimer"),
    *("user 1", "user 2", "user 3", "user 4", "user 5"),
)
"""What each account of the test mnemonic is for, by its index."""


class DevnetError(Exception):
    """The devnet cannot start or go on; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class DevnetOptions:
    """Where and how a devnet runs. Port 0 takes a free one."""

    folder: Path
    l1_url: str | None = None
    l1_port: int = 8545
    rpc_port: int = 9944
    metrics_port: int = 9945
    fresh: bool = False
    bots: bool = True
    epoch_s: int = 20
    window_s: int = 20
    markets: Sequence[Market] = (BTC_PERPETUAL, ETH_PERPETUAL)


class KeyRow(msgspec.Struct):
    """A test key and what it is for."""

    role: str
    address: str
    key: str


class DevnetFile(msgspec.Struct):
    """`devnet.json`: all that a tool needs to use a running devnet."""

    warning: str
    generation: int
    l1_chain_id: int
    l2_chain_id: int
    l1_url: str
    url: str
    ws_url: str
    metrics_url: str
    validator_url: str
    deployment: str
    mnemonic: str
    keys: list[KeyRow]
    l1_data: str
    bots: bool
    pids: dict[str, int]
    users_funded: bool = False
    makers_funded: bool = False

    def key(self, role: str) -> bytes:
        """The private key of a role."""
        row = next(row for row in self.keys if row.role == role)
        return bytes.fromhex(row.key[2:])


def role_account(role: str) -> Account:
    """The test account of a role."""
    return account(ROLES.index(role))


class Devnet:
    """The processes of one devnet; `async with Devnet(options) as devnet`."""

    def __init__(
        self, options: DevnetOptions, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self.options = options
        self.children = Children(options.folder / "logs")
        self._say = say
        self._open = contextlib.ExitStack()
        self.file: DevnetFile

    @property
    def path(self) -> Path:
        """Where `devnet.json` is."""
        return self.options.folder / "devnet.json"

    async def __aenter__(self) -> Devnet:
        try:
            await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, ChildError | BridgeError | NodeUnreachableError):
                raise DevnetError(str(error)) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the children, the last first, and give up the folder."""
        await self.children.stop()
        self._open.close()

    async def _start(self) -> None:
        options = self.options
        options.folder.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(_locked(options.folder / "lock"))
        earlier = _read(self.path)
        generation = earlier.generation if earlier else 0
        if earlier is not None:
            pids = [pid for name, pid in earlier.pids.items() if name != "devnet"]
            await end_leftovers(pids, str(options.folder))
        if options.fresh and earlier is not None:
            generation += 1
            _clear(options.folder)
            earlier = None
        check_ports(options)
        l1_url = await self._start_l1()
        self._say("L1 answers; contracts")
        deployment = await self._deployment(l1_url, L2_CHAIN_ID_FIRST + generation)
        self.file = self._describe(deployment, generation, l1_url, earlier)
        self._save()
        self._say("contracts are there; node and validator")
        await asyncio.gather(self._start_node(), self._start_validator())
        self._say("node answers; money")
        await self._fund(deployment, l1_url)
        if options.bots:
            await self._start_bots(deployment)
        self._save()

    async def _start_l1(self) -> str:
        options = self.options
        if options.l1_url is not None:
            async with HttpL1(options.l1_url) as l1:
                await give_gas(l1)
            return options.l1_url
        folder = options.folder / "l1"
        child = await self.children.start(
            "l1",
            python("bridge.l1.devnet", "--data", str(folder), "--port", str(options.l1_port)),
        )
        return await child.ready_line(r"ready url=(\S+)")

    async def _deployment(self, l1_url: str, l2_chain_id: int) -> Deployment:
        """The deployment of an earlier run if there is one, else a new one."""
        path = self.options.folder / "deployment.json"
        async with HttpL1(l1_url) as l1:
            if path.exists():
                deployment = Deployment.load(path)
                try:
                    await deployment.check(l1)
                except BridgeError as error:
                    raise DevnetError(f"{error}; start over with --fresh") from error
                return deployment
            plan = Plan(
                l2_chain_id=l2_chain_id,
                poster=role_account("poster").address,
                reporters=[role_account(f"reporter {i}").address for i in (1, 2, 3)],
                markets=self.options.markets,
                epoch_s=self.options.epoch_s,
                window_s=self.options.window_s,
            )
            deployment = await deploy(l1, role_account("governor").key, plan)
            deployment.save(path)
            return deployment

    def _describe(
        self, deployment: Deployment, generation: int, l1_url: str, earlier: DevnetFile | None
    ) -> DevnetFile:
        folder = self.options.folder.resolve()
        return DevnetFile(
            warning="test keys, known to everybody: never send anything of value to them",
            generation=generation,
            l1_chain_id=deployment.l1_chain_id,
            l2_chain_id=deployment.l2_chain_id,
            l1_url=l1_url,
            url="",
            ws_url="",
            metrics_url="",
            validator_url="",
            deployment=str(folder / "deployment.json"),
            mnemonic=TEST_MNEMONIC,
            keys=[
                KeyRow(role, account(i).checksum, "0x" + account(i).key.hex())
                for i, role in enumerate(ROLES)
            ],
            l1_data=str(folder / "l1"),
            bots=self.options.bots,
            pids={},
            users_funded=earlier.users_funded if earlier else False,
            makers_funded=earlier.makers_funded if earlier else False,
        )

    async def _start_node(self) -> None:
        options, folder = self.options, self.options.folder
        ports_file = folder / "node-ports.json"
        ports_file.unlink(missing_ok=True)
        child = await self.children.start(
            "node",
            python(
                "sequencer",
                "node",
                *("--data-dir", str(folder / "node")),
                *("--l1-url", self.file.l1_url),
                *("--deployment", self.file.deployment),
                *("--poster-key-file", str(self._key_file("poster"))),
                *("--sequencer-key-file", str(self._key_file("sequencer"))),
                *("--rpc-port", str(options.rpc_port)),
                *("--metrics-port", str(options.metrics_port)),
                *("--ports-file", str(ports_file)),
            ),
        )
        ports = msgspec.json.decode(await child.ready(ports_file), type=dict[str, int])
        self.file.url = f"http://{HOST}:{ports['rpc']}"
        self.file.ws_url = f"ws://{HOST}:{ports['rpc']}"
        self.file.metrics_url = f"http://{HOST}:{ports['metrics']}/metrics"
        await self._answers(child)

    async def _answers(self, node: Child) -> None:
        """Wait until the node takes transactions."""
        deadline = asyncio.get_running_loop().time() + READY_S_MAX
        while node.is_running:
            with contextlib.suppress(NodeUnreachableError, RpcError):
                async with Client(self.file.url, timeout_s=2) as client:
                    await client.call("rollup_syncStatus")
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise DevnetError(f"the node does not answer; its log: {node.log}")
            await asyncio.sleep(POLL_S)
        raise ChildError(node.last_words())

    async def _start_validator(self) -> None:
        folder = self.options.folder
        child = await self.children.start(
            "validator",
            python(
                "bridge.validator",
                *("--l1-url", self.file.l1_url),
                *("--deployment", self.file.deployment),
                *("--data", str(folder / "validator")),
                *("--status-port", "0"),
            ),
            env={KEY_VARIABLE: role_account("validator").key.hex()},
        )
        self.file.validator_url = await child.ready_line(r"ready url=(\S+)")

    async def _fund(self, deployment: Deployment, l1_url: str) -> None:
        """Test USD on L1 for the users, deposits for the makers; once per devnet."""
        todo_users = not self.file.users_funded
        todo_makers = self.options.bots and not self.file.makers_funded
        if not (todo_users or todo_makers):
            return
        async with HttpL1(l1_url) as l1:
            funder = Funder(l1, role_account("faucet").key, deployment)
            tickets = []
            if todo_users:
                users = [role_account(role) for role in ROLES if role.startswith("user")]
                for user in users:
                    tickets.append(await funder.mint(user.address, USER_USD * TOKEN_USD))
            if todo_makers:
                makers = [role_account(f"maker {i}").address for i in (1, 2)]
                deposits = [Deposit(maker, MAKER_USD * TOKEN_USD) for maker in makers]
                await funder.fund(deposits, mint=True)
            for ticket in tickets:
                await funder.wait(ticket)
        self.file.users_funded = True
        self.file.makers_funded |= todo_makers

    async def _start_bots(self, deployment: Deployment) -> None:
        path = self.options.folder / "bots.json"
        given = {
            "url": self.file.ws_url,
            "l1_url": self.file.l1_url,
            "deployment": self.file.deployment,
            "chain_id": deployment.l2_chain_id,
            "inbox": "0x" + deployment.inbox.hex(),
            "seed": self.file.generation,
            "claimer": "0x" + role_account("claimer").key.hex(),
            "reporters": ["0x" + role_account(f"reporter {i}").key.hex() for i in (1, 2, 3)],
            "makers": ["0x" + role_account(f"maker {i}").key.hex() for i in (1, 2)],
            "feeds": {
                market.feed: (market.market, FIRST_PRICES_E9[market.feed])
                for market in self.options.markets
            },
        }
        path.write_bytes(msgspec.json.encode(given))
        await self.children.start("bots", python("sequencer.bots", str(path)))

    def _key_file(self, role: str) -> Path:
        path = self.options.folder / f"{role}.key"
        path.write_text("0x" + role_account(role).key.hex() + "\n", encoding="ascii")
        path.chmod(0o600)
        return path

    def _save(self) -> None:
        self.file.pids = {"devnet": os.getpid(), **self.children.pids()}
        text = msgspec.json.format(msgspec.json.encode(self.file), indent=2)
        aside = self.path.with_suffix(".new")
        aside.write_bytes(text + b"\n")
        os.replace(aside, self.path)


async def give_gas(l1: L1) -> None:
    """Ether for the roles that have none on an L1 which is not ours; the governor pays."""
    governor = role_account("governor")
    balances = [await fetch_balance(l1, role_account(role).address) for role in ROLES]
    poor = [
        role_account(role)
        for role, wei in zip(ROLES, balances, strict=True)
        if wei < GAS_WEI and role != "governor"
    ]
    if balances[ROLES.index("governor")] < (2 + 2 * len(poor)) * GAS_WEI:
        raise DevnetError(
            f"the governor {governor.checksum} has too little ether on this L1: it needs "
            f"{(2 + 2 * len(poor)) * GAS_WEI // ETHER} ether to deploy and for the other roles"
        )
    wallet = Wallet(l1, governor.key, chain_id=await fetch_chain_id(l1), role="governor")
    for ticket in [
        await wallet.send(each.address, b"", action="gas", value_wei=2 * GAS_WEI, gas=TRANSFER_GAS)
        for each in poor
    ]:
        await wallet.wait(ticket)


def main(arguments: list[str]) -> int:
    """`novation devnet`; ends by `SystemExit` with its exit code."""
    from sequencer.devnet_command import run  # noqa: PLC0415  (the command imports this module)

    return run(arguments)


def read_devnet(path: Path) -> DevnetFile:
    """Read `devnet.json`; raise `DevnetError` if there is none."""
    found = _read(path)
    if found is None:
        raise DevnetError(f"no devnet at {path}: start one with `novation devnet`")
    return found


def check_ports(options: DevnetOptions) -> None:
    """Raise `DevnetError` if a port that will be needed is taken."""
    wanted = {"--rpc-port": options.rpc_port, "--metrics-port": options.metrics_port}
    if options.l1_url is None:
        wanted["--l1-port"] = options.l1_port
    for option, port in wanted.items():
        if port and not _is_free(port):
            raise DevnetError(
                f"port {port} is in use: stop what uses it, or take another with {option} "
                "(0 = any free one)"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    """Hold the folder. The lock goes with the process, so a crash leaves none behind."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            pid = file.read().strip() or "?"
            raise DevnetError(
                f"a devnet runs in {path.parent} already (process {pid}): stop it, or take "
                "another folder with --folder"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file


def _read(path: Path) -> DevnetFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DevnetFile)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DevnetError(
            f"{path} is damaged ({error}): delete its folder and start again"
        ) from error


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name == "lock":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
