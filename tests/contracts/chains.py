"""
Two L1 chains behind one face: py-evm in this process, and anvil as a child.

In:    transactions of the keys given at the start; the time of the next block.
Out:   `Outcome`: whether it succeeded, what it returned or reverted with, gas, logs.
Holds: the chain; each transaction is mined at once, in a block of its own, at `next_time`.
Not here: ABIs and contracts (`world.py`).
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import rlp
from eth_account import Account
from eth_tester import PyEVMBackend
from eth_utils.crypto import keccak

GENESIS_TIME = 1_800_000_000
GAS = 12_000_000
MAX_FEE_WEI = 10**10
BALANCE_WEI = 10**24
ANVIL_START_SECONDS = 20.0
ANVIL_BINARIES = "bridge/contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"


@dataclass(frozen=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Outcome:
    ok: bool
    output: bytes
    gas_used: int
    logs: tuple[Log, ...]
    time: int


class Chain(Protocol):
    """What a test needs of an L1."""

    chain_id: int
    next_time: int

    def apply(self, raw: bytes) -> Outcome: ...
    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes: ...
    def nonce(self, address: bytes) -> int: ...
    def balance(self, address: bytes) -> int: ...
    def code(self, address: bytes) -> bytes: ...
    def snapshot(self) -> Any: ...
    def revert(self, snapshot: Any) -> None: ...
    def close(self) -> None: ...


def address_of(key: bytes) -> bytes:
    return bytes.fromhex(Account.from_key(key).address[2:])


def created_address(sender: bytes, nonce: int) -> bytes:
    return keccak(rlp.encode([sender, nonce]))[12:]


def send(
    chain: Chain,
    key: bytes,
    to: bytes | None,
    data: bytes,
    value: int = 0,
    delegate_to: bytes | None = None,
) -> Outcome:
    """Sign and mine one transaction; with `delegate_to`, the key's own EIP-7702 delegation."""
    nonce = chain.nonce(address_of(key))
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": chain.chain_id,
        "nonce": nonce,
        "gas": GAS,
        "maxFeePerGas": MAX_FEE_WEI,
        "maxPriorityFeePerGas": 1,
        "to": to or b"",
        "value": value,
        "data": data,
    }
    if delegate_to is not None:
        authorization = {"chainId": chain.chain_id, "address": delegate_to, "nonce": nonce + 1}
        signed = Account.sign_authorization(authorization, key)
        fields |= {"type": 4, "authorizationList": [signed]}
    return chain.apply(bytes(Account.sign_transaction(fields, key).raw_transaction))


class PyEvmChain:
    """py-evm through eth-tester's backend, which gives the Prague rules."""

    def __init__(self, keys: list[bytes]) -> None:
        state = {
            address_of(key): {"balance": BALANCE_WEI, "nonce": 0, "code": b"", "storage": {}}
            for key in keys
        }
        parameters = PyEVMBackend.generate_genesis_params({"timestamp": GENESIS_TIME})
        self._backend = PyEVMBackend(genesis_parameters=parameters, genesis_state=state)
        self.chain_id: int = self._backend.chain.chain_id
        self.next_time = GENESIS_TIME + 1

    def apply(self, raw: bytes) -> Outcome:
        chain = self._backend.chain
        chain.header = chain.header.copy(timestamp=self.next_time)
        transaction = chain.get_transaction_builder().decode(raw)
        _, receipt, computation = chain.apply_transaction(transaction)
        self._backend.mine_blocks(1)
        logs = tuple(
            Log(log.address, tuple(topic.to_bytes(32, "big") for topic in log.topics), log.data)
            for log in receipt.logs
        )
        outcome = Outcome(
            computation.is_success, computation.output, receipt.gas_used, logs, self.next_time
        )
        self.next_time += 1
        return outcome

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        answer: bytes = self._backend.call({"from": sender, "to": to, "data": data})
        return answer

    def nonce(self, address: bytes) -> int:
        return int(self._backend.get_nonce(address))

    def balance(self, address: bytes) -> int:
        return int(self._backend.get_balance(address))

    def code(self, address: bytes) -> bytes:
        code: bytes = self._backend.get_code(address)
        return code

    def snapshot(self) -> Any:
        return self._backend.take_snapshot(), self.next_time

    def revert(self, snapshot: Any) -> None:
        block, self.next_time = snapshot
        self._backend.revert_to_snapshot(block)

    def close(self) -> None:
        pass


class AnvilChain:
    """anvil as a child process on a free port."""

    chain_id = 1337

    def __init__(self, binary: Path, keys: list[bytes]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [str(binary), "--port", str(port), "--hardfork", "prague", "--silent",
             "--no-mining", "--chain-id", str(self.chain_id), "--timestamp", str(GENESIS_TIME)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()
        self.next_time = GENESIS_TIME + 1
        for key in keys:
            self._rpc("anvil_setBalance", _hex(address_of(key)), hex(BALANCE_WEI))

    def apply(self, raw: bytes) -> Outcome:
        transaction_hash = self._rpc("eth_sendRawTransaction", _hex(raw))
        self._rpc("evm_mine", hex(self.next_time))
        receipt = self._rpc("eth_getTransactionReceipt", transaction_hash)
        trace = self._rpc("debug_traceTransaction", transaction_hash, {"tracer": "callTracer"})
        logs = tuple(
            Log(_bytes(log["address"]), tuple(map(_bytes, log["topics"])), _bytes(log["data"]))
            for log in receipt["logs"]
        )
        outcome = Outcome(
            receipt["status"] == "0x1",
            _bytes(trace.get("output", "0x")),
            int(receipt["gasUsed"], 16),
            logs,
            self.next_time,
        )
        self.next_time += 1
        return outcome

    def call(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        request = {"from": _hex(sender), "to": _hex(to), "data": _hex(data)}
        return _bytes(self._rpc("eth_call", request, "latest"))

    def nonce(self, address: bytes) -> int:
        return int(self._rpc("eth_getTransactionCount", _hex(address), "latest"), 16)

    def balance(self, address: bytes) -> int:
        return int(self._rpc("eth_getBalance", _hex(address), "latest"), 16)

    def code(self, address: bytes) -> bytes:
        return _bytes(self._rpc("eth_getCode", _hex(address), "latest"))

    def snapshot(self) -> Any:
        return self._rpc("evm_snapshot"), self.next_time

    def revert(self, snapshot: Any) -> None:
        number, self.next_time = snapshot
        assert self._rpc("evm_revert", number)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=ANVIL_START_SECONDS)

    def _wait(self) -> None:
        deadline = time.monotonic() + ANVIL_START_SECONDS
        while True:
            try:
                self._rpc("eth_chainId")
                return
            except OSError:
                if time.monotonic() > deadline:
                    self._process.kill()
                    raise
                time.sleep(0.05)

    def _rpc(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


def anvil_binary() -> Path | None:
    """Give the program that `npm ci` put there, if it did."""
    root = Path(__file__).parents[2]
    return next(iter(sorted(root.glob(ANVIL_BINARIES))), None)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])
