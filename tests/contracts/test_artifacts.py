"""The committed artifacts: what the sources compile to, what the loader gives, what users see."""

from __future__ import annotations

import shutil

import pytest
from eth_utils.crypto import keccak

from bridge.contracts import ARTIFACTS, build, load
from tests.contracts.world import signature_of, types_of

# docs/formats.md §5: what wallets sign.
OPERATIONS = [
    "placeOrder(uint32,uint32,bool,uint64,uint64,uint8,uint8,uint64)",
    "cancelOrder(uint32,uint32,uint64)",
    "cancelOrderById(uint32,uint64)",
    "replaceOrder(uint32,uint32,uint64,uint64,uint64)",
    "cancelAll(uint32,uint32)",
    "withdraw(uint32,address,uint256,address)",
    "batch(uint32,bytes)",
]
# docs/formats.md §7, by event number.
EVENTS = [
    "OrderPlaced(address,uint32,uint32,bool,uint64,uint64,uint64,uint64,uint64,uint64)",
    "OrderCancelled(address,uint32,uint32,uint64,uint64,uint64,uint16)",
    "OrderReplaced(address,uint32,uint32,bool,uint64,uint64,uint64,uint64,uint64,uint64)",
    "Trade(uint32,bool,uint64,uint64,address,uint32,uint64,address,uint32,uint64,int128,int128)",
    "OperationRejected(uint8,uint16)",
    "Deposited(address,uint32,int128,uint64)",
    "Withdrawn(address,uint32,uint64,address,uint128,address,int128)",
    "ReportAccepted(uint32,uint8,uint64,uint64)",
    "Governed(uint8)",
]


def test_a_rebuild_gives_the_committed_artifacts_byte_for_byte() -> None:
    if shutil.which("node") is None or not (build.MODULES / "solc").is_dir():
        pytest.skip("the compiler is not installed: run `npm ci` in bridge/contracts")
    built = build.build()
    committed = {file.stem: file.read_text(encoding="utf-8") for file in ARTIFACTS.glob("*.json")}
    assert built.keys() == committed.keys()
    for name, text in built.items():
        assert text == committed[name], f"{name}: run `python -m bridge.contracts.build`"


def test_the_loader_gives_abi_and_bytecode() -> None:
    artifact = load("TestUSD")
    assert {"name": "mint", "type": "function"}.items() <= next(
        entry for entry in artifact.abi if entry.get("name") == "mint"
    ).items()
    assert len(artifact.bytecode) > 1_000
    assert load("IExchange").bytecode == b""


def test_a_contract_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(FileNotFoundError, match=r"'Nothing'.*Inbox.*Rollup.*Vault"):
        load("Nothing")


def test_the_exchange_takes_the_operations_of_the_formats() -> None:
    abi = [e for e in load("IExchange").abi if e["type"] == "function"]
    selectors = {signature_of(e)[:4] for e in abi if e["stateMutability"] == "nonpayable"}
    assert selectors == {keccak(text.encode())[:4] for text in OPERATIONS}
    views = {e["name"] for e in abi if e["stateMutability"] == "view"}
    assert views == {"account", "subaccount", "position", "openOrder", "bookTop", "market"}


def test_the_exchange_writes_the_events_of_the_formats() -> None:
    events = [e for e in load("IExchange").abi if e["type"] == "event"]
    assert {f"{e['name']}({','.join(types_of(e['inputs']))})" for e in events} == set(EVENTS)
    for event in events:
        assert sum(entry["indexed"] for entry in event["inputs"]) <= 3


def test_every_error_of_our_contracts_is_prefixed_with_its_contract() -> None:
    for name in ("Inbox", "Rollup", "Vault"):
        errors = {e["name"] for e in load(name).abi if e["type"] == "error"}
        foreign = {error for error in errors if not error.startswith(f"{name}_")}
        # From libraries: OpenZeppelin's and the tree's own.
        libraries = {
            "IncrementalTree_Full",
            "SafeERC20FailedOperation",
            "ReentrancyGuardReentrantCall",
        }
        assert foreign <= libraries
