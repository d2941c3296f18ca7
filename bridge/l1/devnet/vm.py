"""
The EVM of the embedded L1: py-evm's Prague, given a header and a database.

In:    a parent header and transactions; or a header and a call.
Out:   a header, receipts; or what the call returned and what it cost.
Holds: transactions of a block are applied to one state in one pass (py-evm's `MiningChain` rebuilds
       the block for each, which is quadratic).
Not here: which block is the head (`chain`), what may enter the pool (`pool`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth.abc import BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.exceptions import InsufficientFunds, PyEVMError, Revert
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.forks.prague.constants import HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE
from eth_typing import Address
from eth_utils.exceptions import ValidationError
from trie.hexary import HexaryTrie

from bridge.l1.devnet.store import Nodes

GAS_LIMIT = 60_000_000
GENESIS_BASE_FEE_WEI = 10**9


class DevnetVM(PragueVM):
    """Prague, with block hashes from our own headers."""

    parent_hashes: Iterable[bytes] = ()

    @property
    def previous_hashes(self) -> Iterable[bytes]:  # type: ignore[override]
        """Return the hashes of earlier blocks, newest first."""
        return self.parent_hashes


@dataclass(frozen=True, slots=True)
class Call:
    """A message to run without signature and without paying for gas."""

    sender: bytes
    to: bytes
    data: bytes
    value: int
    gas: int
    intrinsic_gas: int
    access_list: tuple[Any, ...] = ()
    type_id: int = 2
    gas_price: int = 0
    max_fee_per_gas: int = 0
    max_priority_fee_per_gas: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a message ended."""

    ok: bool
    output: bytes
    gas_used: int
    reverted: bool
    error: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A transaction in a block."""

    transaction: SignedTransactionAPI
    receipt: ReceiptAPI
    contract: bytes | None


@dataclass(frozen=True, slots=True)
class Built:
    """A block, and what could not be put into it with the reason."""

    header: BlockHeaderAPI
    applied: list[Applied]
    refused: list[tuple[SignedTransactionAPI, str]]


class Machine:
    """Runs blocks and calls over one database."""

    def __init__(self, nodes: Nodes, chain_id: int) -> None:
        self._chaindb = ChainDB(AtomicDB(nodes))
        self._context = ChainContext(chain_id)

    def genesis(self, timestamp: int, balances: dict[bytes, int]) -> BlockHeaderAPI:
        """Write the first state; return the first header."""
        header = DevnetVM.create_genesis_header(
            difficulty=0,
            timestamp=timestamp,
            gas_limit=GAS_LIMIT,
            state_root=BLANK_ROOT_HASH,
            base_fee_per_gas=GENESIS_BASE_FEE_WEI,
        )
        state = self.at(header).state
        for address, balance in balances.items():
            state.set_balance(Address(address), balance)
        # EIP-2935: py-evm serves it only where its code is.
        state.set_code(HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE)
        state.persist()
        return header.copy(state_root=state.state_root)

    def at(self, header: BlockHeaderAPI, hashes: Iterable[bytes] = ()) -> DevnetVM:
        """Return a VM whose state is that of `header`."""
        vm = DevnetVM(header, self._chaindb, self._context, None)  # type: ignore[arg-type]
        vm.parent_hashes = hashes
        return vm

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Decode a signed transaction of any type."""
        return DevnetVM.get_transaction_builder().decode(raw)

    def next_header(self, parent: BlockHeaderAPI, timestamp: int) -> BlockHeaderAPI:
        """Return the header on which the next block is built."""
        header: BlockHeaderAPI = DevnetVM.create_header_from_parent(
            parent, timestamp=timestamp, gas_limit=GAS_LIMIT, coinbase=bytes(20)
        )
        return header

    def build(
        self,
        parent: BlockHeaderAPI,
        timestamp: int,
        transactions: Iterable[SignedTransactionAPI],
        hashes: Iterable[bytes],
    ) -> Built:
        """Run a block of those transactions that fit and are valid; write its state."""
        header = self.next_header(parent, timestamp)
        vm = self.at(header, hashes)
        vm.block_preprocessing(vm.get_block())
        applied: list[Applied] = []
        refused: list[tuple[SignedTransactionAPI, str]] = []
        # Whose transaction was left out: those after it wait with it.
        waiting: set[bytes] = set()
        for transaction in transactions:
            sender = bytes(transaction.sender)
            if sender in waiting:
                continue
            if header.gas_used + transaction.gas > header.gas_limit:
                waiting.add(sender)
                continue
            try:
                receipt, computation = vm.apply_transaction(header, transaction)
            except ValidationError as error:
                refused.append((transaction, str(error)))
                waiting.add(sender)
                continue
            header = vm.add_receipt_to_header(header, receipt)
            contract = computation.msg.storage_address if computation.msg.is_create else None
            applied.append(Applied(transaction, receipt, contract))
        vm.state.persist()
        header = header.copy(
            state_root=vm.state.state_root,
            transaction_root=_trie_root([item.transaction.encode() for item in applied]),
            receipt_root=_trie_root([item.receipt.encode() for item in applied]),
        )
        return Built(header, applied, refused)

    def run(self, header: BlockHeaderAPI, call: Call, hashes: Iterable[bytes] = ()) -> Outcome:
        """Run a call on the state after `header` and forget what it did."""
        vm = self.at(header.copy(base_fee_per_gas=0), hashes)
        executor = vm.state.get_transaction_executor()
        try:
            message = executor.build_evm_message(call)  # type: ignore[arg-type]
            computation = executor.build_computation(message, call)  # type: ignore[arg-type]
        except InsufficientFunds as error:
            return Outcome(False, b"", call.gas, False, f"insufficient funds for transfer: {error}")
        except PyEVMError as error:
            return Outcome(False, b"", call.gas, False, str(error))
        failure = computation._error if computation.is_error else None
        return Outcome(
            ok=failure is None,
            output=bytes(computation.output),
            gas_used=call.gas - computation.get_gas_remaining(),
            reverted=isinstance(failure, Revert),
            error="" if failure is None else (str(failure) or type(failure).__name__),
        )


def base_fee_wei(header: BlockHeaderAPI) -> int:
    """Return the base fee of a block, which every block of ours has."""
    assert header.base_fee_per_gas is not None
    return header.base_fee_per_gas


def with_gas(call: Call, gas: int) -> Call:
    """Return the same call with another gas limit."""
    return dataclasses.replace(call, gas=gas)


def decode_header(raw: bytes) -> BlockHeaderAPI:
    """Read a stored header."""
    header: BlockHeaderAPI = rlp.decode(raw, PragueBlockHeader)
    return header


def _trie_root(items: Sequence[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    return bytes(trie.root_hash)


def hashes_back(first: int, hash_of: Any, limit: int = 256) -> Iterator[bytes]:
    """Yield block hashes from `first` down, as BLOCKHASH may ask for."""
    for number in range(first, max(-1, first - limit), -1):
        yield hash_of(number)
