"""
JSON of the embedded L1: blocks, transactions, receipts and logs as Ethereum clients read them.

In:    headers, transactions and receipts of py-evm.
Out:   dictionaries of hex strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eth.abc import BlockHeaderAPI, SignedTransactionAPI

from bridge.l1.devnet.vm import Built, base_fee_wei

Row = dict[str, Any]
DYNAMIC_FEE_TYPE = 2


def quantity(value: int) -> str:
    """Return an integer as JSON-RPC writes it."""
    return hex(value)


def data(value: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + bytes(value).hex()


def block(header: BlockHeaderAPI, hashes: Sequence[bytes], size: int) -> Row:
    """Return a block with its transactions by hash."""
    return {
        "number": quantity(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "mixHash": data(header.mix_hash),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": "0x" + header.bloom.to_bytes(256, "big").hex(),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "extraData": data(header.extra_data),
        "size": quantity(size + 1_000),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(base_fee_wei(header)),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root or b""),
        "withdrawalsRoot": data(header.withdrawals_root or b""),
        "requestsHash": data(getattr(header, "requests_hash", b"")),
        "withdrawals": [],
        "uncles": [],
        "transactions": [data(tx_hash) for tx_hash in hashes],
    }


def transaction(
    item: SignedTransactionAPI, sender: bytes, place: tuple[BlockHeaderAPI, int] | None
) -> Row:
    """Return a transaction, mined at `place` or waiting."""
    kind = _kind(item)
    row: Row = {
        "hash": data(item.hash),
        "type": quantity(kind),
        "nonce": quantity(item.nonce),
        "from": data(sender),
        "to": data(item.to) if item.to else None,
        "value": quantity(item.value),
        "gas": quantity(item.gas),
        "input": data(item.data),
        "chainId": quantity(item.chain_id or 0),
        "v": quantity(item.y_parity),
        "r": quantity(item.r),
        "s": quantity(item.s),
        "gasPrice": quantity(item.max_fee_per_gas),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
    }
    if kind == 0:
        row["v"] = quantity(35 + 2 * (item.chain_id or 0) + item.y_parity)
    else:
        row["yParity"] = quantity(item.y_parity)
        row["accessList"] = [
            {"address": data(address), "storageKeys": [data(s.to_bytes(32, "big")) for s in slots]}
            for address, slots in item.access_list
        ]
    if kind >= DYNAMIC_FEE_TYPE:
        row["maxFeePerGas"] = quantity(item.max_fee_per_gas)
        row["maxPriorityFeePerGas"] = quantity(item.max_priority_fee_per_gas)
    if place is not None:
        header, index = place
        row["blockHash"] = data(header.hash)
        row["blockNumber"] = quantity(header.block_number)
        row["transactionIndex"] = quantity(index)
        row["gasPrice"] = quantity(effective_price(item, base_fee_wei(header)))
    return row


def effective_price(item: SignedTransactionAPI, base_wei: int) -> int:
    """Return what a gas costs the sender at that base fee."""
    return int(min(item.max_fee_per_gas, base_wei + item.max_priority_fee_per_gas))


def receipts(built: Built) -> Iterator[tuple[int, Row]]:
    """Yield the receipts of a block with the places of their transactions."""
    header = built.header
    gas_before, logs_before = 0, 0
    for index, item in enumerate(built.applied):
        common = {
            "transactionHash": data(item.transaction.hash),
            "transactionIndex": quantity(index),
            "blockHash": data(header.hash),
            "blockNumber": quantity(header.block_number),
        }
        to = item.transaction.to
        yield (
            index,
            common
            | {
                "type": quantity(_kind(item.transaction)),
                "from": data(item.transaction.sender),
                "to": data(to) if to else None,
                "status": quantity(int.from_bytes(item.receipt.state_root, "big")),
                "cumulativeGasUsed": quantity(item.receipt.gas_used),
                "gasUsed": quantity(item.receipt.gas_used - gas_before),
                "effectiveGasPrice": quantity(
                    effective_price(item.transaction, base_fee_wei(header))
                ),
                "contractAddress": data(item.contract) if item.contract else None,
                "logsBloom": "0x" + item.receipt.bloom.to_bytes(256, "big").hex(),
                "logs": [
                    common
                    | {
                        "address": data(log.address),
                        "topics": ["0x" + topic.to_bytes(32, "big").hex() for topic in log.topics],
                        "data": data(log.data),
                        "logIndex": quantity(logs_before + place),
                        "blockTimestamp": quantity(header.timestamp),
                        "removed": False,
                    }
                    for place, log in enumerate(item.receipt.logs)
                ],
            },
        )
        gas_before = item.receipt.gas_used
        logs_before += len(item.receipt.logs)


def _kind(item: SignedTransactionAPI) -> int:
    return int(getattr(item, "type_id", 0) or 0)
