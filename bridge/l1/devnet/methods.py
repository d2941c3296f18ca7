"""
Methods of the embedded L1: what each JSON-RPC name does.

In:    a method name and parameters.
Out:   the result, or `RpcFailureError`.
Holds: nothing is answered from constants but what a chain of one process has only one value for.
Not here: HTTP and threads (`server`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from eth.abc import BlockHeaderAPI
from eth_account import Account
from eth_hash.auto import keccak

from bridge.l1.devnet import accounts, calls, fees, parse, render
from bridge.l1.devnet.chain import MINE_MAX, Chain
from bridge.l1.devnet.failure import LIMIT, METHOD, RpcFailureError, params_failure
from bridge.l1.devnet.filters import Filters

VERSION = "novation-devnet-l1/1"
LOGS_MAX = 20_000
Handler = Callable[[Sequence[Any]], Any]


class Methods:
    """The method table over one chain."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.filters = Filters(chain)
        self.automine = False
        self._table: dict[str, Handler] = {
            "web3_clientVersion": lambda _: VERSION,
            "web3_sha3": lambda p: render.data(keccak(parse.data(parse.take(p, 1)[0], "data"))),
            "net_version": lambda _: str(chain.options.chain_id),
            "net_listening": lambda _: True,
            "net_peerCount": lambda _: "0x0",
            "eth_chainId": lambda _: render.quantity(chain.options.chain_id),
            "eth_syncing": lambda _: False,
            "eth_mining": lambda _: True,
            "eth_coinbase": lambda _: render.data(bytes(20)),
            "eth_accounts": self._accounts,
            "eth_blockNumber": lambda _: render.quantity(chain.head.block_number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockTransactionCountByNumber": self._count_by_number,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionByBlockNumberAndIndex": self._transaction_at,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send_raw,
            "eth_sendTransaction": self._send,
            "eth_getLogs": self._logs,
            "eth_gasPrice": self._gas_price,
            "eth_maxPriorityFeePerGas": lambda _: render.quantity(fees.DEFAULT_TIP_WEI),
            "eth_blobBaseFee": lambda _: "0x1",
            "eth_feeHistory": self._fee_history,
            "eth_newBlockFilter": lambda _: self.filters.add_blocks(),
            "eth_newPendingTransactionFilter": lambda _: self.filters.add_pending(),
            "eth_newFilter": self._new_filter,
            "eth_getFilterChanges": lambda p: self.filters.changes(parse.take(p, 1)[0]),
            "eth_getFilterLogs": lambda p: self.filters.logs(parse.take(p, 1)[0], self._search),
            "eth_uninstallFilter": lambda p: self.filters.remove(parse.take(p, 1)[0]),
            "txpool_status": lambda _: {"pending": hex(len(chain.pool)), "queued": "0x0"},
            "evm_mine": self._mine,
            "evm_increaseTime": self._increase_time,
            "evm_setNextBlockTimestamp": self._next_timestamp,
            "evm_snapshot": lambda _: render.quantity(chain.snapshot()),
            "evm_revert": lambda p: chain.revert(parse.quantity(parse.take(p, 1)[0], "snapshot")),
            "evm_setAutomine": self._set_automine,
        }

    def run(self, method: str, params: Sequence[Any]) -> Any:
        """Run a method."""
        handler = self._table.get(method)
        if handler is None:
            raise RpcFailureError(f"the method {method} does not exist/is not available", METHOD)
        return handler(params)

    def header_of(self, tag: Any) -> BlockHeaderAPI:
        """Return the header that a block parameter names."""
        return self.chain.header(self._number_of(tag))

    def _number_of(self, tag: Any) -> int:
        head: int = self.chain.head.block_number
        options = self.chain.options
        if isinstance(tag, dict):
            return self._number_of_object(tag)
        named = {
            None: head,
            "latest": head,
            "pending": head,
            "earliest": 0,
            "safe": max(0, head - options.safe_depth),
            "finalized": max(0, head - options.finalized_depth),
        }
        if tag is None or (isinstance(tag, str) and tag in named):
            return named[tag]
        number = parse.quantity(tag, "block")
        if number > head:
            raise RpcFailureError("header not found")
        return number

    def _number_of_object(self, tag: dict[str, Any]) -> int:
        if "blockHash" in tag:
            found = self.chain.index.number_of(parse.data(tag["blockHash"], "blockHash", 32))
            if found is None:
                raise RpcFailureError("header not found")
            return found
        return self._number_of(tag.get("blockNumber"))

    def _accounts(self, _: Sequence[Any]) -> list[str]:
        options = self.chain.options
        return [
            render.data(item.address)
            for item in accounts.accounts(options.accounts, options.mnemonic)
        ]

    def _block_by_number(self, params: Sequence[Any]) -> Any:
        tag, full = parse.take(params, 1, 1)
        try:
            number = self._number_of(tag)
        except RpcFailureError as error:
            if error.message == "header not found":
                return None
            raise
        return self._block(number, bool(full))

    def _block_by_hash(self, params: Sequence[Any]) -> Any:
        wanted, full = parse.take(params, 1, 1)
        number = self.chain.index.number_of(parse.data(wanted, "hash", 32))
        return None if number is None else self._block(number, bool(full))

    def _block(self, number: int, full: bool) -> Any:
        row = self.chain.index.block(number)
        if row is not None and full:
            row["transactions"] = [self._transaction([text]) for text in row["transactions"]]
        return row

    def _count_by_number(self, params: Sequence[Any]) -> str:
        row = self._block(self._number_of(parse.take(params, 1)[0]), False)
        return render.quantity(len(row["transactions"]))

    def _block_receipts(self, params: Sequence[Any]) -> list[Any]:
        row = self._block(self._number_of(parse.take(params, 1)[0]), False)
        return [self._receipt([text]) for text in row["transactions"]]

    def _transaction(self, params: Sequence[Any]) -> Any:
        tx_hash = parse.data(parse.take(params, 1)[0], "hash", 32)
        place = self.chain.index.place(tx_hash)
        if place is not None:
            item = self.chain.machine.decode(place.raw)
            where = (self.chain.header(place.block), place.index)
            return render.transaction(item, place.sender, where)
        waiting = self.chain.pool.get(tx_hash)
        if waiting is None:
            return None
        return render.transaction(waiting.transaction, waiting.sender, None)

    def _transaction_at(self, params: Sequence[Any]) -> Any:
        tag, index = parse.take(params, 2)
        row = self._block(self._number_of(tag), False)
        place = parse.quantity(index, "index")
        hashes = row["transactions"]
        return self._transaction([hashes[place]]) if place < len(hashes) else None

    def _receipt(self, params: Sequence[Any]) -> Any:
        return self.chain.index.receipt(parse.data(parse.take(params, 1)[0], "hash", 32))

    def _state(self, tag: Any) -> Any:
        return self.chain.machine.at(self.header_of(tag)).state

    def _transaction_count(self, params: Sequence[Any]) -> str:
        who, tag = parse.take(params, 1, 1)
        sender = parse.address(who, "address")
        nonce = self._state(tag).get_nonce(sender)
        if tag == "pending":
            nonce = self.chain.pool.next_nonce(sender, nonce)
        return render.quantity(nonce)

    def _balance(self, params: Sequence[Any]) -> str:
        who, tag = parse.take(params, 1, 1)
        return render.quantity(self._state(tag).get_balance(parse.address(who, "address")))

    def _code(self, params: Sequence[Any]) -> str:
        who, tag = parse.take(params, 1, 1)
        return render.data(self._state(tag).get_code(parse.address(who, "address")))

    def _storage(self, params: Sequence[Any]) -> str:
        who, slot, tag = parse.take(params, 2, 1)
        value = self._state(tag).get_storage(
            parse.address(who, "address"), parse.quantity(slot, "slot")
        )
        return render.data(value.to_bytes(32, "big"))

    def _call(self, params: Sequence[Any]) -> str:
        request, tag = parse.take(params, 1, 1)
        output = calls.call(self.chain, calls.read_call(request), self.header_of(tag))
        return render.data(output)

    def _estimate(self, params: Sequence[Any]) -> str:
        request, tag = parse.take(params, 1, 1)
        gas = calls.estimate(self.chain, calls.read_call(request), self.header_of(tag))
        return render.quantity(gas)

    def _send_raw(self, params: Sequence[Any]) -> str:
        tx_hash = self.chain.send_raw(parse.data(parse.take(params, 1)[0], "transaction"))
        if self.automine:
            self.chain.mine()
        return render.data(tx_hash)

    def _send(self, params: Sequence[Any]) -> str:
        """Sign for one of the test accounts and send."""
        item = parse.take(params, 1)[0]
        request = calls.read_call(item)
        options = self.chain.options
        known = {a.address: a for a in accounts.accounts(options.accounts, options.mnemonic)}
        signer = known.get(request.sender)
        if signer is None:
            raise RpcFailureError("unknown account")
        gas = item.get("gas") or self._estimate([item])
        nonce = item.get("nonce") or self._transaction_count([item["from"], "pending"])
        fields = {
            "type": 2,
            "chainId": options.chain_id,
            "nonce": parse.quantity(nonce, "nonce"),
            "gas": parse.quantity(gas, "gas"),
            "maxFeePerGas": 2 * fees.next_base_fee(self.chain) + fees.DEFAULT_TIP_WEI,
            "maxPriorityFeePerGas": fees.DEFAULT_TIP_WEI,
            "value": request.value,
            "data": request.data,
            "to": request.to,
        }
        signed = Account.sign_transaction(fields, signer.key)
        return self._send_raw([render.data(signed.raw_transaction)])

    def _logs(self, params: Sequence[Any]) -> list[Any]:
        return self._search(parse.take(params, 1)[0])

    def _search(self, query: Any) -> list[Any]:
        wanted = parse.log_filter(query)
        if query.get("blockHash") is not None:
            first = last = self._number_of_object(query)
        else:
            head = self.chain.head.block_number
            first = self._bound(query.get("fromBlock"), head)
            last = min(self._bound(query.get("toBlock"), head), head)
        found = filter(wanted.matches, self.chain.index.logs(first, last))
        rows = list(itertools.islice(found, LOGS_MAX + 1))
        if len(rows) > LOGS_MAX:
            raise RpcFailureError(f"query returned more than {LOGS_MAX} results", LIMIT)
        return rows

    def _bound(self, tag: Any, head: int) -> int:
        """Return a block number that may lie beyond the head, as `toBlock` may."""
        if tag is None or (isinstance(tag, str) and not tag.startswith("0x")):
            return self._number_of(tag)
        return min(parse.quantity(tag, "block"), head + 1)

    def _gas_price(self, _: Sequence[Any]) -> str:
        return render.quantity(fees.next_base_fee(self.chain) + fees.DEFAULT_TIP_WEI)

    def _fee_history(self, params: Sequence[Any]) -> Any:
        count, newest, percentiles = parse.take(params, 2, 1)
        blocks = parse.quantity(count, "blockCount")
        return fees.history(self.chain, blocks, self._number_of(newest), percentiles or [])

    def _new_filter(self, params: Sequence[Any]) -> str:
        return self.filters.add_logs(parse.take(params, 1)[0])

    def _mine(self, params: Sequence[Any]) -> str:
        """Mine a block now; the parameter is its timestamp or a count in {"blocks": n}."""
        (given,) = parse.take(params, 0, 1)
        count = 1
        if isinstance(given, dict):
            count = parse.quantity(given.get("blocks", 1), "blocks")
            given = given.get("timestamp")
        if not 1 <= count <= MINE_MAX:
            raise params_failure(f"blocks must be between 1 and {MINE_MAX}")
        timestamp = None if given is None else parse.quantity(given, "timestamp")
        if timestamp is not None:
            self.chain.set_next_timestamp(timestamp)
        for _ in range(count):
            self.chain.mine()
        return "0x0"

    def _increase_time(self, params: Sequence[Any]) -> str:
        seconds = parse.quantity(parse.take(params, 1)[0], "seconds")
        return render.quantity(self.chain.shift_clock(seconds))

    def _next_timestamp(self, params: Sequence[Any]) -> None:
        timestamp = parse.quantity(parse.take(params, 1)[0], "timestamp")
        self.chain.set_next_timestamp(timestamp)

    def _set_automine(self, params: Sequence[Any]) -> bool:
        self.automine = bool(parse.take(params, 1)[0])
        return True
