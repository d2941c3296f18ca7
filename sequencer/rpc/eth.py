"""
The `eth_*`, `net_*` and `web3_*` methods, except sending and subscribing.

In:  arguments as Ethereum's clients send them.
Out: what they expect.

Holds: the state is kept at its newest only, so asking for an older one is refused by name.
Not here: views of the exchange (`rpc.views`), sending (`rpc.dispatch`), streams (`rpc.streams`).
"""

from __future__ import annotations

from typing import Any

from sequencer.chain import Block, Located
from sequencer.queries import TooManyError
from sequencer.rpc import errors, shapes, views
from sequencer.rpc.context import Context
from sequencer.rpc.methods import method
from sequencer.rpc.params import Params, hex_bytes, uint
from sequencer.rpc.shapes import BASE_FEE_WEI, GAS, TIP_WEI, hexed, quantity
from state._native import version
from state.tx import EXCHANGE

TAGS = ("latest", "pending", "safe", "finalized", "earliest")
_HASH_BYTES = 32
_FEE_BLOCKS_MAX = 1_024
_PERCENTILES_MAX = 100
_TOPICS_MAX = 4
_OPTIONS_MAX = 256
_U64 = (1 << 64) - 1


@method("web3_clientVersion", runs="loop")
def client_version(_: Context, __: Params) -> str:
    """Name and version."""
    return f"novation/v{version()}"


@method("net_version", runs="loop")
def net_version(context: Context, _: Params) -> str:
    """Chain id, decimal."""
    return str(context.chain_id)


@method("eth_chainId", runs="loop")
def chain_id(context: Context, _: Params) -> str:
    """Chain id."""
    return quantity(context.chain_id)


@method("eth_blockNumber", runs="loop")
def block_number(context: Context, _: Params) -> str:
    """Newest block."""
    return quantity(context.queries.chain.head.number)


@method("eth_syncing", runs="loop")
def syncing(context: Context, _: Params) -> Any:
    """False once live."""
    if context.phase() == "live":
        return False
    head = quantity(context.queries.chain.head.number)
    return {"startingBlock": "0x0", "currentBlock": head, "highestBlock": head}


@method("eth_accounts", runs="loop")
def accounts(_: Context, __: Params) -> list[str]:
    """The node signs for nobody."""
    return []


@method("eth_gasPrice", runs="loop")
def gas_price(_: Context, __: Params) -> str:
    """Base fee and tip; nothing is charged."""
    return quantity(BASE_FEE_WEI)


@method("eth_maxPriorityFeePerGas", runs="loop")
def max_priority_fee(_: Context, __: Params) -> str:
    """Tip; nothing is charged."""
    return quantity(TIP_WEI)


@method("eth_estimateGas", "transaction", "block", "overrides", runs="loop")
def estimate_gas(_: Context, params: Params) -> str:
    """The same for every operation; nothing is charged."""
    if not isinstance(params.get("transaction"), dict):
        raise errors.invalid_params("transaction", "an object is needed")
    return quantity(GAS)


@method("eth_feeHistory", "count", "newest", "percentiles")
def fee_history(context: Context, params: Params) -> dict[str, Any]:
    """Fees are constant; the used share is real."""
    newest = _number(context, params.get("newest"), "newest")
    if newest > context.queries.chain.head.number:
        raise errors.invalid_params("newest", "request beyond head block")
    count = min(params.uint("count"), _FEE_BLOCKS_MAX, newest + 1)
    percentiles = params.get("percentiles") or []
    if not isinstance(percentiles, list) or len(percentiles) > _PERCENTILES_MAX:
        raise errors.invalid_params("percentiles", "an array of at most 100 is needed")
    if not all(type(each) in (int, float) for each in percentiles):
        raise errors.invalid_params("percentiles", "numbers are needed")
    oldest = newest + 1 - count
    blocks = {each.number: each for each in context.queries.chain.blocks(oldest, newest)}
    used = [
        len(blocks[n].receipts) / 512 if n in blocks else 0.0 for n in range(oldest, newest + 1)
    ]
    history: dict[str, Any] = {
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": [quantity(BASE_FEE_WEI)] * (count + 1),
        "gasUsedRatio": used,
    }
    if percentiles:
        history["reward"] = [[quantity(TIP_WEI)] * len(percentiles)] * count
    return history


@method("eth_getBalance", "address", "block")
def get_balance(context: Context, params: Params) -> str:
    """Free collateral of subaccount 0, as if 1 USD were 1e18 wei."""
    _need_newest(context, params)
    return quantity(context.queries.free_e9(params.address("address")) * 10**9)


@method("eth_getTransactionCount", "address", "block")
def get_transaction_count(context: Context, params: Params) -> str:
    """Next nonce."""
    _need_newest(context, params)
    return quantity(context.queries.nonce(params.address("address")))


@method("eth_getCode", "address", "block")
def get_code(_: Context, params: Params) -> str:
    """One byte at the exchange, so that libraries call it; nothing elsewhere."""
    return "0x00" if params.address("address") == EXCHANGE else "0x"


@method("eth_call", "transaction", "block", "overrides")
def call(context: Context, params: Params) -> str:
    """A view of IExchange."""
    _need_newest(context, params)
    transaction = params.get("transaction")
    if not isinstance(transaction, dict):
        raise errors.invalid_params("transaction", "an object is needed")
    to = transaction.get("to")
    data = transaction.get("data") or transaction.get("input") or "0x"
    calldata = hex_bytes("data", data)
    if to is None or hex_bytes("to", to) != EXCHANGE:
        return "0x"  # as from an address without code
    return hexed(views.answer(context.queries.engine, calldata))


@method("eth_getBlockByNumber", "block", "full")
def get_block_by_number(context: Context, params: Params) -> Any:
    """A block, or null."""
    number = _number(context, params.get("block"), "block")
    return _block(context, context.queries.chain.block(number), params)


@method("eth_getBlockByHash", "hash", "full")
def get_block_by_hash(context: Context, params: Params) -> Any:
    """A block, or null."""
    found = context.queries.chain.block_by_hash(params.fixed("hash", _HASH_BYTES))
    return _block(context, found, params)


@method("eth_getTransactionByHash", "hash", runs="async")
async def get_transaction(context: Context, params: Params) -> Any:
    """A transaction, or null; waits until its block is closed."""
    digest = params.fixed("hash", _HASH_BYTES)
    queries = context.queries
    await queries.wait_closed(digest)

    def look() -> Any:
        located = queries.find(digest)
        return None if located is None else shapes.transaction(located, queries)

    return await context.in_thread(look)


@method("eth_getTransactionReceipt", "hash", runs="async")
async def get_receipt(context: Context, params: Params) -> Any:
    """A receipt, or null; waits until its block is closed."""
    return await receipt_of(context, params.fixed("hash", _HASH_BYTES))


async def receipt_of(context: Context, digest: bytes) -> Any:
    """The receipt of an input that has run."""
    queries = context.queries
    await queries.wait_closed(digest)

    def look() -> Any:
        located = queries.find(digest)
        if located is None or not located.block.hash:
            return None
        return shapes.receipt(queries, located)

    return await context.in_thread(look)


@method("eth_getBlockReceipts", "block")
def get_block_receipts(context: Context, params: Params) -> Any:
    """All receipts of a block, or null."""
    given = params.get("block")
    queries = context.queries
    if isinstance(given, str) and len(given) == 2 + 2 * _HASH_BYTES:
        found = queries.chain.block_by_hash(hex_bytes("block", given))
    else:
        found = queries.chain.block(_number(context, given, "block"))
    if found is None:
        return None
    return [shapes.receipt(queries, Located(found, i)) for i in range(len(found.receipts))]


@method("eth_getLogs", "filter")
def get_logs(context: Context, params: Params) -> list[Any]:
    """Logs of a bounded range."""
    given = params.get("filter")
    if not isinstance(given, dict):
        raise errors.invalid_params("filter", "an object is needed")
    if not _address_fits(given.get("address")):
        return []
    topics = read_topics(given.get("topics"))
    queries = context.queries
    if given.get("blockHash") is not None:
        found = queries.chain.block_by_hash(hex_bytes("blockHash", given["blockHash"]))
        if found is None:
            raise errors.not_found("block")
        first = last = found.number
    else:
        first = _number(context, given.get("fromBlock", "latest"), "fromBlock")
        last = _number(context, given.get("toBlock", "latest"), "toBlock")
    if first > last:
        raise errors.invalid_params("fromBlock", "the range begins after its end")
    try:
        return [shapes.log(entry) for entry in queries.logs(first, last, topics)]
    except TooManyError as exc:
        raise errors.limit("too_many_logs", str(exc)) from exc


def read_topics(given: Any) -> list[list[bytes] | None]:
    """Topics of a filter: each null, a topic, or a list of topics."""
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > _TOPICS_MAX:
        raise errors.invalid_params("topics", "an array of at most 4 is needed")
    topics: list[list[bytes] | None] = []
    for each in given:
        options = each if isinstance(each, list) else None if each is None else [each]
        if options is not None and len(options) > _OPTIONS_MAX:
            raise errors.invalid_params("topics", f"at most {_OPTIONS_MAX} options")
        topics.append(options and [hex_bytes("topics", option) for option in options])
    return topics


def _address_fits(given: Any) -> bool:
    if given is None:
        return True
    options = given if isinstance(given, list) else [given]
    if len(options) > _OPTIONS_MAX:
        raise errors.invalid_params("address", f"at most {_OPTIONS_MAX} addresses")
    return any(hex_bytes("address", each) == EXCHANGE for each in options)


def _number(context: Context, given: Any, name: str) -> int:
    if given is None:
        given = "latest"
    if given in TAGS:
        return context.queries.block_of_tag(given)
    if isinstance(given, dict) and "blockNumber" in given:
        given = given["blockNumber"]
    return uint(name, given, _U64)


def _need_newest(context: Context, params: Params) -> None:
    """Refuse to answer about an older state: only the newest is kept."""
    given = params.get("block")
    if given in (None, "latest", "pending"):
        return
    head = context.queries.chain.head
    if isinstance(given, dict) and given.get("blockHash") == hexed(head.hash):
        return
    if _number(context, given, "block") < head.number:
        raise errors.invalid_params(
            "block", "only the newest state is kept", 'ask for "latest", or read receipts and logs'
        )


def _block(context: Context, found: Block | None, params: Params) -> Any:
    full = params.flag("full")
    return None if found is None else shapes.block(context.queries, found, full=full)
