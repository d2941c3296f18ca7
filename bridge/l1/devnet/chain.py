"""
Chain of the embedded L1: the head, its clock, mining, snapshots.

In:    raw transactions; orders to mine, to shift the clock, to go back.
Out:   blocks, in the index and on disk.
Holds: a block's time is max(parent + 1, wall + offset). A block is on disk whole or not at all.
       After `revert` the blocks are gone from every answer, as after a reorganisation.
Not here: JSON (`render`), HTTP (`server`). One thread only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rlp
from eth.abc import BlockHeaderAPI
from eth_typing import Address
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from bridge.l1.devnet import render
from bridge.l1.devnet.accounts import BALANCE_WEI, TEST_MNEMONIC, accounts
from bridge.l1.devnet.failure import RpcFailureError
from bridge.l1.devnet.index import Index, Place
from bridge.l1.devnet.pool import Pool, check_funds, check_static
from bridge.l1.devnet.store import Nodes, Store
from bridge.l1.devnet.vm import (
    GAS_LIMIT,
    Call,
    Machine,
    Outcome,
    base_fee_wei,
    decode_header,
    hashes_back,
)

SNAPSHOTS_MAX = 64
MINE_MAX = 10_000
HEADERS_CACHED = 512
log = logging.getLogger("bridge.l1.devnet")


@dataclass(frozen=True, slots=True)
class Options:
    """How an embedded L1 is set up; the first three count at genesis only."""

    chain_id: int = 1337
    accounts: int = 20
    mnemonic: str = TEST_MNEMONIC
    safe_depth: int = 4
    finalized_depth: int = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A point to which `revert` can go back."""

    number: int
    offset_s: int


class Chain:
    """The one chain of this process."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.options = options
        self.pool = Pool()
        self._store = Store(folder)
        self.index = Index(self._store)
        self.machine = Machine(Nodes(self._store), options.chain_id)
        self._snapshots: dict[int, Snapshot] = {}
        self._snapshots_taken = 0
        self._headers: dict[int, BlockHeaderAPI] = {}
        self._next_timestamp: int | None = None
        self.offset_s = int(self._store.get("meta", b"offset_s") or b"0")
        self.head = self._load_head()

    def close(self) -> None:
        """Write everything and release the folder."""
        self._store.close()

    def header(self, number: int) -> BlockHeaderAPI:
        """Return the header of a block that exists."""
        found = self._headers.get(number)
        if found is None:
            raw = self._store.get("headers", number.to_bytes(8, "big"))
            if raw is None:
                raise RpcFailureError("header not found")
            found = decode_header(raw)
            self._remember(found)
        return found

    def send_raw(self, raw: bytes) -> bytes:
        """Take a signed transaction into the pool; return its hash."""
        try:
            transaction = self.machine.decode(raw)
            sender = Address(bytes(transaction.sender))
        except (RLPException, ValidationError, ValueError, TypeError, IndexError) as error:
            raise RpcFailureError(f"transaction could not be decoded: {error}") from error
        except Exception as error:  # eth-keys has its own tree of errors, outside of ValueError
            raise RpcFailureError(f"invalid sender: {error}") from error
        check_static(transaction, raw, self.options.chain_id, GAS_LIMIT)
        state = self.machine.at(self.head).state
        check_funds(transaction, state.get_balance(sender))
        return self.pool.add(transaction, raw, state.get_nonce(sender))

    def mine(self, timestamp: int | None = None) -> BlockHeaderAPI:
        """Make a block of what waits; after an error it is as if nothing had been tried."""
        try:
            return self._mine(timestamp)
        except Exception:
            self._store.discard()
            raise

    def _mine(self, timestamp: int | None) -> BlockHeaderAPI:
        state = self.machine.at(self.head).state
        nonces = {sender: state.get_nonce(Address(sender)) for sender in self.pool.senders()}
        at = self._block_time(timestamp)
        base_fee = base_fee_wei(self.machine.next_header(self.head, at))
        built = self.machine.build(
            self.head, at, self.pool.ready(nonces, base_fee), self._hashes(self.head.block_number)
        )
        number = built.header.block_number
        block_hash = bytes(built.header.hash)
        hashes = [bytes(item.transaction.hash) for item in built.applied]
        size = sum(len(item.transaction.data) for item in built.applied)
        self.index.add_block(number, block_hash, render.block(built.header, hashes, size))
        for place, receipt in render.receipts(built):
            waiting = self.pool.get(hashes[place])
            assert waiting is not None
            row = Place(number, place, waiting.sender, waiting.raw)
            self.index.add_transaction(waiting.hash, row, receipt)
        self._put_header(built.header)
        self._store.commit()
        self.head = built.header
        for refused, reason in built.refused:
            log.warning("tx.dropped hash=0x%s reason=%s", refused.hash.hex(), reason)
        for done in [*hashes, *(bytes(bad.hash) for bad, _ in built.refused)]:
            self.pool.remove(done)
        return self.head

    def run(self, call: Call, header: BlockHeaderAPI | None = None) -> Outcome:
        """Run a call on the state of a block, by default the head."""
        at = header or self.head
        pending = at.copy(timestamp=max(at.timestamp, self._wall()), block_number=at.block_number)
        return self.machine.run(pending, call, self._hashes(at.block_number - 1))

    def shift_clock(self, seconds: int) -> int:
        """Let the clock run ahead of the wall by so many seconds more; return the whole offset."""
        self.offset_s += seconds
        self._store.put("meta", b"offset_s", str(self.offset_s).encode())
        self._store.commit()
        return self.offset_s

    def set_next_timestamp(self, timestamp: int) -> None:
        """Give the next block that time, and let the clock go on from it."""
        if timestamp <= self.head.timestamp:
            raise RpcFailureError(
                f"timestamp {timestamp} is not after the head's, {self.head.timestamp}"
            )
        self._next_timestamp = timestamp
        self.shift_clock(timestamp - self._wall())

    def snapshot(self) -> int:
        """Remember the head; return the number to give to `revert`."""
        self._snapshots_taken += 1
        self._snapshots[self._snapshots_taken] = Snapshot(self.head.block_number, self.offset_s)
        while len(self._snapshots) > SNAPSHOTS_MAX:
            del self._snapshots[min(self._snapshots)]
        return self._snapshots_taken

    def revert(self, snapshot: int) -> bool:
        """Go back to a snapshot; transactions since then are forgotten, not put back."""
        found = self._snapshots.get(snapshot)
        if found is None:
            return False
        for number in [n for n in self._snapshots if n >= snapshot]:
            del self._snapshots[number]
        for number in range(self.head.block_number, found.number, -1):
            self.index.drop_block(number)
            self._headers.pop(number, None)
        self._store.put("meta", b"head", found.number.to_bytes(8, "big"))
        self._store.commit()
        self.head = self.header(found.number)
        self.pool = Pool()
        self.shift_clock(found.offset_s - self.offset_s)
        return True

    def _wall(self) -> int:
        return int(time.time()) + self.offset_s

    def _block_time(self, given: int | None) -> int:
        wanted = given or self._next_timestamp or self._wall()
        self._next_timestamp = None
        return int(max(self.head.timestamp + 1, wanted))

    def _hashes(self, first: int) -> Iterator[bytes]:
        return hashes_back(first, lambda number: bytes(self.header(number).hash))

    def _put_header(self, header: BlockHeaderAPI) -> None:
        number = header.block_number.to_bytes(8, "big")
        self._store.put("headers", number, rlp.encode(header))
        self._store.put("meta", b"head", number)
        self._remember(header)

    def _remember(self, header: BlockHeaderAPI) -> None:
        self._headers[header.block_number] = header
        while len(self._headers) > HEADERS_CACHED:
            del self._headers[next(iter(self._headers))]

    def _load_head(self) -> BlockHeaderAPI:
        head = self._store.get("meta", b"head")
        if head is None:
            return self._genesis()
        known = int(self._store.get("meta", b"chain_id") or b"0")
        if known != self.options.chain_id:
            raise RpcFailureError(
                f"the data folder holds chain {known}, not {self.options.chain_id}"
            )
        return self.header(int.from_bytes(head, "big"))

    def _genesis(self) -> BlockHeaderAPI:
        rich = accounts(self.options.accounts, self.options.mnemonic)
        # A second back, so that the first block can already bear the wall's time.
        header = self.machine.genesis(
            int(time.time()) - 1, {account.address: BALANCE_WEI for account in rich}
        )
        self._store.put("meta", b"chain_id", str(self.options.chain_id).encode())
        self.index.add_block(0, bytes(header.hash), render.block(header, [], 0))
        self._put_header(header)
        self._store.commit()
        return header
