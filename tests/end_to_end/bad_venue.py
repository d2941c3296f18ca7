"""
A node that must stay as it is, for tests of bad input.

In:    a temporary folder.
Out:   `unmoved`: a node with a funded account; when the test is through with it, the root must be
       the same as before, and an order must still be taken. `opened`: the same without that.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from state.tx import CancelAll, Operation, sign_transaction
from tests.end_to_end.bad_transactions import VECTOR_CHAIN_ID, order
from tests.l1 import USER, TestL1, deployed, running_l1
from tests.node import RunningNode, running_node

SETTLED_S = 0.3  # longer than a block and a batch take here
SEND = "eth_sendRawTransaction"
Ask = Callable[[bytes], Awaitable[Any]]


@dataclass
class Venue:
    """A node, its L1, and the nonce that its one account uses next."""

    node: RunningNode
    l1: TestL1
    session: aiohttp.ClientSession
    nonce: int = 0

    @asynccontextmanager
    async def asking(self, transport: str) -> AsyncIterator[Ask]:
        """A way to send bytes and get the decoded answer."""
        if transport == "http":

            async def post(body: bytes) -> Any:
                async with self.session.post(self.node.url, data=io.BytesIO(body)) as response:
                    assert response.status == 200
                    return msgspec.json.decode(await response.read())

            yield post
            return
        async with self.session.ws_connect(self.node.url, max_msg_size=0) as socket:

            async def send(body: bytes) -> Any:
                await socket.send_bytes(body)
                return msgspec.json.decode((await socket.receive(timeout=10)).data)

            yield send

    async def state(self) -> dict[str, Any]:
        """What is true of the chain, once nothing is on its way."""
        last: dict[str, Any] = {}
        async with asyncio.timeout(10):
            while True:
                sync = await self.node.client.call("rollup_syncStatus")
                names = ("root", "content", "next_seq", "l2_unsafe", "direct_cursor")
                found = {name: sync[name] for name in (*names, "records_sealed")}
                if found == last and not sync["unsealed_blocks"]:
                    return found
                last = found
                await asyncio.sleep(SETTLED_S)

    def sign(self, operation: Operation) -> str:
        """The next transaction of the funded account."""
        chain_id = self.node.deployment.l2_chain_id
        raw = sign_transaction(USER.key, chain_id, self.nonce, 0, [operation])
        self.nonce += 1
        return "0x" + raw.hex()

    async def trade(self) -> None:
        """Place an order, which must succeed."""
        await self.node.fresh_price()
        digest = await self.node.client.call(SEND, self.sign(order(self.nonce)))
        receipt = await self.node.client.call("eth_getTransactionReceipt", digest)
        assert receipt["status"] == "0x1", receipt


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Venue]:
    """A node that takes the transactions of the vectors, with one funded account."""
    async with running_l1(folder / "l1") as l1, aiohttp.ClientSession() as session:
        deployment = await deployed(l1, l2_chain_id=VECTOR_CHAIN_ID)
        await l1.mine(2)
        async with running_node(folder, l1, deployment) as node:
            await node.fund(l1, USER, 10_000)
            yield Venue(node, l1, session)


@asynccontextmanager
async def unmoved(folder: Path) -> AsyncIterator[Venue]:
    """A node on which the test may do what it likes, as long as nothing happens by it."""
    async with opened(folder) as venue:
        await venue.node.client.call(SEND, venue.sign(CancelAll()))  # uses nonce 0
        before = await venue.state()

        yield venue

        assert await venue.state() == before
        await venue.trade()
        assert (await venue.state())["root"] != before["root"]


def request(method: str, *params: Any, call_id: int = 1) -> bytes:
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": call_id, "method": method, "params": list(params)}
    )


def named(answer: Any) -> tuple[int, str]:
    """Code and reason of an error."""
    return answer["error"]["code"], answer["error"]["data"]["reason"]
