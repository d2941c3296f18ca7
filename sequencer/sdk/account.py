"""
Account: one owner on the exchange: its key, its nonce, and what it signs.

In:  operations.
Out: `Signed` envelopes with consecutive nonces.

Holds: each nonce is used once by this object. Whoever shares the key must share the object, or call
`refresh` after the other has sent. Not here: the way to the node (`sequencer.sdk.client`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sequencer.sdk.client import Client
from sequencer.sdk.signing import Key, Signed, sign_envelope
from state.tx import Cancel, CancelAll, Operation, Place, Replace, Withdraw


class Account:
    """A key at one chain, with its next nonce."""

    __slots__ = ("chain_id", "key", "nonce", "subaccount")

    def __init__(
        self, key: Key | bytes, chain_id: int, *, nonce: int = 0, subaccount: int = 0
    ) -> None:
        self.key = key if isinstance(key, Key) else Key(key)
        self.chain_id = chain_id
        self.nonce = nonce
        self.subaccount = subaccount

    @property
    def address(self) -> bytes:
        """The 20 bytes of the address."""
        return self.key.address

    @property
    def address_hex(self) -> str:
        """The address as JSON-RPC writes it."""
        return "0x" + self.key.address.hex()

    def sign(self, operations: Sequence[Operation]) -> Signed:
        """Sign `operations` as the next envelope."""
        signed = sign_envelope(self.key, self.chain_id, self.nonce, self.subaccount, operations)
        self.nonce += 1
        return signed

    async def refresh(self, node: Client) -> None:
        """Take the next nonce from the node."""
        self.nonce = int(
            await node.call("eth_getTransactionCount", self.address_hex, "pending"), 16
        )

    async def send(self, node: Client, operations: Sequence[Operation]) -> str:
        """Sign and send; the transaction's hash. On an error the nonce is as before."""
        before = self.nonce
        signed = self.sign(operations)
        try:
            return str(await node.call("eth_sendRawTransaction", signed.raw_hex))
        except BaseException:
            self.nonce = before
            raise

    async def send_and_wait(self, node: Client, operations: Sequence[Operation]) -> dict[str, Any]:
        """Sign, send, and return the receipt."""
        before = self.nonce
        signed = self.sign(operations)
        try:
            receipt: dict[str, Any] = await node.call("eth_sendRawTransactionSync", signed.raw_hex)
        except BaseException:
            self.nonce = before
            raise
        return receipt

    async def place(  # noqa: PLR0913  (the fields of an order)
        self,
        node: Client,
        *,
        market: int,
        buy: bool,
        price_e9: int,
        qty_e9: int,
        client_id: int,
        post_only: bool = False,
        immediate: bool = False,
    ) -> dict[str, Any]:
        """Place one order; the receipt."""
        order = Place(market, buy, price_e9, qty_e9, immediate, post_only, client_id)
        return await self.send_and_wait(node, [order])

    async def replace(
        self, node: Client, *, market: int, client_id: int, price_e9: int, qty_e9: int
    ) -> dict[str, Any]:
        """Give an order a new price and open quantity; the receipt."""
        return await self.send_and_wait(node, [Replace(market, client_id, price_e9, qty_e9)])

    async def cancel(self, node: Client, *, market: int, client_id: int) -> dict[str, Any]:
        """Take an order out; the receipt."""
        return await self.send_and_wait(node, [Cancel(market, client_id)])

    async def cancel_all(self, node: Client, *, market: int | None = None) -> dict[str, Any]:
        """Take all orders out; the receipt."""
        return await self.send_and_wait(node, [CancelAll(market)])

    async def withdraw(
        self, node: Client, *, token: bytes, amount: int, recipient: bytes | None = None
    ) -> dict[str, Any]:
        """Withdraw token units to L1; the receipt."""
        to = recipient if recipient is not None else self.address
        return await self.send_and_wait(node, [Withdraw(token, amount, to)])
