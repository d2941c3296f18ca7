"""
Pool of the embedded L1: transactions that wait for a block.

In:    signed transactions, already decoded and recovered.
Out:   those that a block can take, in order of arrival within the order of nonces.
Holds: one transaction per sender and nonce; a replacement pays 10 % more; the sizes are bounded.
       Refusals have geth's texts, which clients match.
Not here: execution (`vm`), mining (`chain`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from eth.abc import SignedTransactionAPI

from bridge.l1.devnet.failure import LIMIT, RpcFailureError

POOL_LIMIT = 8_192
SENDER_LIMIT = 1_024
TRANSACTION_BYTES_MAX = 131_072
BUMP_PERCENT = 10
TX_GAS = 21_000
FLOOR_NONZERO_GAS = 40
FLOOR_ZERO_GAS = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool."""

    arrival: int
    transaction: SignedTransactionAPI
    sender: bytes
    hash: bytes
    raw: bytes


class Pool:
    """Transactions by sender and nonce."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, dict[int, Waiting]] = {}
        self._by_hash: dict[bytes, Waiting] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, tx_hash: bytes) -> Waiting | None:
        """Return a waiting transaction, or None."""
        return self._by_hash.get(tx_hash)

    def hashes_since(self, arrival: int) -> tuple[list[bytes], int]:
        """Return hashes that arrived at or after `arrival`, and the next arrival number."""
        fresh = [item.hash for item in self._by_hash.values() if item.arrival >= arrival]
        return fresh, self._arrivals

    def add(self, transaction: SignedTransactionAPI, raw: bytes, nonce: int) -> bytes:
        """
        Take a transaction that passed `check_static`.

        Parameters
        ----------
        nonce :
            The sender's nonce on chain.
        """
        sender, tx_hash = bytes(transaction.sender), bytes(transaction.hash)
        if tx_hash in self._by_hash:
            raise RpcFailureError("already known")
        if transaction.nonce < nonce:
            raise RpcFailureError(
                f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}"
            )
        waiting = self._by_sender.setdefault(sender, {})
        old = waiting.get(transaction.nonce)
        if old is not None:
            _check_replacement(old.transaction, transaction)
            del self._by_hash[old.hash]
        elif len(self._by_hash) >= POOL_LIMIT or len(waiting) >= SENDER_LIMIT:
            raise RpcFailureError("txpool is full", LIMIT)
        item = Waiting(self._arrivals, transaction, sender, tx_hash, raw)
        self._arrivals += 1
        waiting[transaction.nonce] = item
        self._by_hash[tx_hash] = item
        return tx_hash

    def remove(self, tx_hash: bytes) -> None:
        """Forget a transaction, if it is here."""
        item = self._by_hash.pop(tx_hash, None)
        if item is not None:
            waiting = self._by_sender[item.sender]
            del waiting[item.transaction.nonce]
            if not waiting:
                del self._by_sender[item.sender]

    def next_nonce(self, sender: bytes, nonce: int) -> int:
        """Return the nonce after the sender's unbroken row of waiting transactions."""
        waiting = self._by_sender.get(sender, {})
        while nonce in waiting:
            nonce += 1
        return nonce

    def ready(self, nonces: dict[bytes, int], base_fee_wei: int) -> Iterator[SignedTransactionAPI]:
        """Yield what can be mined on top of `nonces` at that base fee."""
        heads: list[tuple[int, bytes, int]] = []
        for sender, nonce in nonces.items():
            self._push(heads, sender, nonce, base_fee_wei)
        while heads:
            _, sender, nonce = heapq.heappop(heads)
            yield self._by_sender[sender][nonce].transaction
            self._push(heads, sender, nonce + 1, base_fee_wei)

    def senders(self) -> list[bytes]:
        """Return everybody with a waiting transaction."""
        return list(self._by_sender)

    def prune(self, nonces: dict[bytes, int]) -> None:
        """Forget transactions whose nonces have been used."""
        for sender, nonce in nonces.items():
            for used in [n for n in self._by_sender.get(sender, {}) if n < nonce]:
                self.remove(self._by_sender[sender][used].hash)

    def _push(
        self, heads: list[tuple[int, bytes, int]], sender: bytes, nonce: int, base_fee_wei: int
    ) -> None:
        item = self._by_sender.get(sender, {}).get(nonce)
        if item is not None and item.transaction.max_fee_per_gas >= base_fee_wei:
            heapq.heappush(heads, (item.arrival, sender, nonce))


def floor_gas(data: bytes) -> int:
    """Return the least gas that EIP-7623 charges for a transaction with that calldata."""
    zeros = data.count(0)
    return TX_GAS + FLOOR_NONZERO_GAS * (len(data) - zeros) + FLOOR_ZERO_GAS * zeros


def check_static(transaction: SignedTransactionAPI, raw: bytes, chain_id: int, limit: int) -> None:
    """
    Check what does not depend on the state.

    Raises
    ------
    RpcFailureError
        With geth's text.
    """
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise RpcFailureError(
            f"oversized data: transaction size {len(raw)}, limit {TRANSACTION_BYTES_MAX}"
        )
    if transaction.chain_id is None:
        raise RpcFailureError("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != chain_id:
        raise RpcFailureError(
            f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}"
        )
    if transaction.gas > limit:
        raise RpcFailureError("exceeds block gas limit")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise RpcFailureError(
            "max priority fee per gas higher than max fee per gas: address "
            f"0x{bytes(transaction.sender).hex()}, maxPriorityFeePerGas: "
            f"{transaction.max_priority_fee_per_gas}, maxFeePerGas: {transaction.max_fee_per_gas}"
        )
    _check_gas(transaction)


def check_funds(transaction: SignedTransactionAPI, balance_wei: int) -> None:
    """Check that the sender can pay for the transaction at its worst."""
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if cost > balance_wei:
        raise RpcFailureError(
            f"insufficient funds for gas * price + value: balance {balance_wei}, "
            f"tx cost {cost}, overshot {cost - balance_wei}"
        )


def _check_gas(transaction: SignedTransactionAPI) -> None:
    intrinsic = transaction.intrinsic_gas
    if transaction.gas < intrinsic:
        raise RpcFailureError(
            f"intrinsic gas too low: gas {transaction.gas}, minimum needed {intrinsic}"
        )
    floor = floor_gas(transaction.data)
    if transaction.gas < floor:
        raise RpcFailureError(
            "insufficient gas for floor data gas cost: "
            f"gas {transaction.gas}, minimum needed {floor}"
        )


def _check_replacement(old: SignedTransactionAPI, new: SignedTransactionAPI) -> None:
    for name in ("max_fee_per_gas", "max_priority_fee_per_gas"):
        if getattr(new, name) * 100 < getattr(old, name) * (100 + BUMP_PERCENT):
            raise RpcFailureError("replacement transaction underpriced")
