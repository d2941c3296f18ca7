"""
The contracts deployed on a test chain, with the devnet's durations and one key per role.

In:    a `Chain`.
Out:   `World`: `Contract` handles and the steps that several tests take.
Holds: addresses and keys; the state is the chain's.
Not here: assertions (`checks.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from bridge.contracts import load
from tests.contracts import model
from tests.contracts.chains import Chain, Outcome, address_of, created_address, send

L2_CHAIN_ID = 412_000
MAX_WAIT_MS = 20_000
MAX_LAG_MS = 40_000
EPOCH_SECONDS = 20
WINDOW_SECONDS = 20
FEES_WEI = (1_000, 2_000, 3_000, 4_000, 5_000)
UNIT_E9 = 1_000
GENESIS = model.Header(
    state_root=keccak(b"state 0"),
    withdrawals_root=model.tree_root([], model.TREE_DEPTH),
    withdrawals_count=0,
)


def key_of(role: str) -> bytes:
    return keccak(f"test key of the {role}".encode())


DEPLOYER = key_of("deployer")
OPERATOR = key_of("operator")
POSTER = key_of("poster")
TIMELOCK = key_of("timelock")
ALICE = key_of("user alice")
BOB = key_of("user bob")
KEYS = [DEPLOYER, OPERATOR, POSTER, TIMELOCK, ALICE, BOB]


def types_of(fields: list[dict[str, Any]]) -> list[str]:
    return [collapse_if_tuple(entry) for entry in fields]


def signature_of(entry: dict[str, Any]) -> bytes:
    return keccak(f"{entry['name']}({','.join(types_of(entry['inputs']))})".encode())


@dataclass(frozen=True)
class Contract:
    """A deployed contract; the functions of its ABI by name."""

    chain: Chain
    name: str
    address: bytes

    def data(self, function: str, *args: Any) -> bytes:
        entry = self._entry(function)
        return signature_of(entry)[:4] + encode(types_of(entry["inputs"]), args)

    def send(self, key: bytes, function: str, *args: Any, value: int = 0) -> Outcome:
        return send(self.chain, key, self.address, self.data(function, *args), value)

    def view(self, function: str, *args: Any) -> Any:
        answer = self.chain.call(address_of(ALICE), self.address, self.data(function, *args))
        values = decode(types_of(self._entry(function)["outputs"]), answer)
        return values[0] if len(values) == 1 else values

    def events(self, outcome: Outcome, name: str) -> list[dict[str, Any]]:
        """Decode the logs of event `name` that this contract wrote."""
        entry = next(e for e in load(self.name).abi if e["type"] == "event" and e["name"] == name)
        found = []
        for log in outcome.logs:
            if log.address == self.address and log.topics[0] == signature_of(entry):
                found.append(_event(entry["inputs"], log.topics[1:], log.data))
        return found

    def _entry(self, function: str) -> dict[str, Any]:
        return next(
            e for e in load(self.name).abi if e["type"] == "function" and e["name"] == function
        )


def _event(inputs: list[dict[str, Any]], topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    indexed = [entry for entry in inputs if entry["indexed"]]
    plain = [entry for entry in inputs if not entry["indexed"]]
    values = {
        entry["name"]: decode(types_of([entry]), topic)[0]
        for entry, topic in zip(indexed, topics, strict=True)
    }
    names = [entry["name"] for entry in plain]
    return values | dict(zip(names, decode(types_of(plain), data), strict=True))


def constructor_data(name: str, *args: Any) -> bytes:
    artifact = load(name)
    inputs: list[dict[str, Any]] = next(
        (e["inputs"] for e in artifact.abi if e["type"] == "constructor"), []
    )
    return artifact.bytecode + encode(types_of(inputs), args)


def deploy(chain: Chain, name: str, *args: Any) -> tuple[Contract, Outcome]:
    """Deploy `name`; the contract's address is given even when the constructor reverts."""
    deployer = address_of(DEPLOYER)
    address = created_address(deployer, chain.nonce(deployer))
    outcome = send(chain, DEPLOYER, None, constructor_data(name, *args))
    return Contract(chain, name, address), outcome


@dataclass(frozen=True)
class Batch:
    """The arguments of `postBatch`; `World.batch` fills in what is lawful now."""

    prev_content: bytes
    t_first: int
    t_last: int
    direct_to: int
    expected_direct: bytes
    data: bytes = b"one batch"

    def header(self) -> tuple[bytes, int, int, int, bytes]:
        return (
            self.prev_content,
            self.t_first,
            self.t_last,
            self.direct_to,
            self.expected_direct,
        )

    def leaf(self) -> bytes:
        pages = model.page_root(self.data)
        length = len(self.data)
        return model.record_leaf(1, length, self.t_first, self.t_last, self.direct_to, pages)


@dataclass(frozen=True)
class World:
    chain: Chain
    inbox: Contract
    rollup: Contract
    vault: Contract
    usd: Contract
    deployments: dict[str, Outcome] = field(default_factory=dict)

    def at(self, time: int) -> World:
        """Let the next transaction be mined at `time`, seconds."""
        assert time >= self.chain.next_time, "a block cannot be older than its parent"
        self.chain.next_time = time
        return self

    def after(self, seconds: int) -> World:
        return self.at(self.chain.next_time + seconds)

    @property
    def now_ms(self) -> int:
        """The time of the next transaction's block."""
        return self.chain.next_time * 1_000

    def batch(self, **changes: Any) -> Batch:
        """Give a lawful empty-handed batch for the next block, with `changes`."""
        drained = self.inbox.view("drainedTo")
        lawful = Batch(
            prev_content=self.inbox.view("content"),
            t_first=self.now_ms,
            t_last=self.now_ms,
            direct_to=drained,
            expected_direct=self.inbox.view("directHash", drained),
        )
        return replace(lawful, **changes)

    def post(self, batch: Batch, key: bytes = POSTER) -> Outcome:
        return self.inbox.send(key, "postBatch", batch.header(), batch.data)

    def cancel_all(self, key: bytes = ALICE) -> Outcome:
        return self.inbox.send(key, "force", 3, bytes(4), value=FEES_WEI[1])

    def fund(self, key: bytes, amount: int, token: Contract | None = None) -> None:
        token = token or self.usd
        assert token.send(key, "mint", address_of(key), amount).ok
        assert token.send(key, "approve", self.vault.address, amount).ok

    def deposit(self, key: bytes, amount: int) -> Outcome:
        self.fund(key, amount)
        return self.vault.send(key, "deposit", self.usd.address, amount, address_of(key), 0)

    def seal(self) -> int:
        """Seal the next epoch as early as may be; return its number."""
        earliest = self.rollup.view("lastSealAt") + EPOCH_SECONDS
        self.at(max(earliest, self.chain.next_time))
        outcome = self.rollup.send(BOB, "seal")
        assert outcome.ok
        return int(self.rollup.events(outcome, "EpochSealed")[0]["epoch"])

    def propose(self, epoch: int, parent: bytes, claim: model.Commitment) -> Outcome:
        return self.rollup.send(
            BOB,
            "propose",
            epoch,
            parent,
            claim.root(),
            claim.last_leaf,
            claim.last_proof(),
            self.rollup.view("inputHashOf", epoch),
        )

    def confirm(self, epoch: int, header: model.Header) -> Outcome:
        return self.rollup.send(BOB, "confirm", epoch, header.words())

    def confirmed(self, header: model.Header) -> int:
        """Seal, claim and confirm an epoch that ends at `header`; return its number."""
        parent = self.rollup.view("confirmedRoot")
        epoch = self.seal()
        assert self.propose(epoch, parent, model.Commitment((header.root(),))).ok
        assert self.after(WINDOW_SECONDS).confirm(epoch, header).ok
        return epoch


def inbox_config(vault: bytes, **changes: Any) -> tuple[Any, ...]:
    config = {
        "operator": address_of(OPERATOR),
        "poster": address_of(POSTER),
        "vault": vault,
        "timelock": address_of(TIMELOCK),
        "max_wait_ms": MAX_WAIT_MS,
        "max_lag_ms": MAX_LAG_MS,
        "fees_wei": FEES_WEI,
    }
    return tuple((config | changes).values())


def deploy_world(chain: Chain) -> World:
    """Deploy in the order that the addresses need: token, Inbox, Rollup, Vault."""
    usd, usd_made = deploy(chain, "TestUSD")
    deployer = address_of(DEPLOYER)
    vault_address = created_address(deployer, chain.nonce(deployer) + 2)
    inbox, inbox_made = deploy(chain, "Inbox", inbox_config(vault_address))
    rollup, rollup_made = deploy(
        chain, "Rollup", inbox.address, GENESIS.root(), 1, EPOCH_SECONDS, WINDOW_SECONDS
    )
    vault, vault_made = deploy(
        chain,
        "Vault",
        inbox.address,
        rollup.address,
        address_of(TIMELOCK),
        L2_CHAIN_ID,
        [usd.address],
        [UNIT_E9],
    )
    made = {"TestUSD": usd_made, "Inbox": inbox_made, "Rollup": rollup_made, "Vault": vault_made}
    assert all(outcome.ok for outcome in made.values()), made
    return World(chain, inbox, rollup, vault, usd, made)
