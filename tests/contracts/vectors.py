"""
The content of `tests/vectors/l1_hashes.json`, from the plain model.

In:    nothing. Out: values and their hashes, which the Rust and Solidity twins must give too.
Holds: nothing. Bytes are hex, amounts decimal strings.
Not here: comparing (`test_hashes.py`).
"""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from tests.contracts import model

SIZES = [1, 31, 1_023, 1_024, 1_025, 2_048, 3_000, 65_536, 117_956]
COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 1_000]
TIME_MS = 1_800_000_000_123


def batch_bytes(size: int) -> bytes:
    """Give data that every language can make: byte i = 31·i + 17·(i >> 8) + 7 mod 256."""
    return bytes((31 * i + 17 * (i >> 8) + 7) & 0xFF for i in range(size))


def leaf_of(number: int) -> bytes:
    return keccak(number.to_bytes(8, "big"))


def address_of(number: int) -> bytes:
    return leaf_of(number)[12:]


def compute() -> dict[str, Any]:
    return {
        "note": (
            "docs/formats.md 2 and 3. Byte i of a batch = 31*i + 17*(i >> 8) + 7 mod 256; "
            "leaf i of a tree = keccak256(u64 BE i). NOVATION_UPDATE=1 rewrites this file."
        ),
        "pages": [
            {"bytes": size, "root": model.page_root(batch_bytes(size)).hex()} for size in SIZES
        ],
        "records": _records(),
        "directs": _directs(),
        "incremental_trees": [{"count": count, "root": _tree(count).hex()} for count in COUNTS],
        "withdrawals": [_withdrawal(number) for number in range(3)],
        "headers": [
            {"words": [word.hex() for word in header.words()], "root": header.root().hex()}
            for header in headers()
        ],
        "commitments": [_commitment(count) for count in (1, 2, 3, 5, 16)],
        "input_hashes": [_input_hash(count) for count in (0, 1, 1_000)],
    }


def withdrawals() -> list[model.Withdrawal]:
    amounts = [1, 10**6, 2**128 - 1]
    return [
        model.Withdrawal(
            index=number * 0x01020304,
            account=address_of(10 + number),
            token=address_of(20 + number),
            amount=amount,
            recipient=address_of(30 + number),
        )
        for number, amount in enumerate(amounts)
    ]


def headers() -> list[model.Header]:
    return [
        model.Header(
            state_root=leaf_of(number),
            withdrawals_root=_tree(number),
            withdrawals_count=number,
            version=1 + number,
            time_ms=number and TIME_MS + number,
            direct_cursor=3 * number,
            record=2 * number,
        )
        for number in (0, 1, 0x0102)
    ]


def _tree(count: int) -> bytes:
    return model.tree_root([leaf_of(i) for i in range(count)], model.TREE_DEPTH)


def _records() -> list[dict[str, Any]]:
    """Give batches and an advance in one content chain."""
    rows: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    for number, (kind, size) in enumerate([(1, 1), (1, 3_000), (2, 0), (1, 117_956)]):
        times = (TIME_MS + number, TIME_MS + number + (size > 1) * 750)
        pages = model.page_root(batch_bytes(size)) if size else model.ZERO
        leaf = model.record_leaf(kind, size, *times, 3 * number, pages)
        leaves.append(leaf)
        rows.append(
            {
                "kind": kind,
                "bytes": size,
                "t_first": times[0],
                "t_last": times[1],
                "direct_to": 3 * number,
                "page_root": pages.hex(),
                "leaf": leaf.hex(),
                "content": model.chain_hash(leaves).hex(),
            }
        )
    return rows


def _directs() -> list[dict[str, Any]]:
    """Give one direct input of each kind, in one chain."""
    deposit = model.deposit_data(address_of(1), 15, address_of(2), 2**96)
    withdraw = (3).to_bytes(4, "big") + address_of(2) + (10**6).to_bytes(16, "big")
    inputs = [(1, deposit), (2, withdraw), (3, bytes(3) + b"\x01"), (4, b"\x01"), (5, b"\x02")]
    inputs += [(6, batch_bytes(84)), (7, batch_bytes(57))]
    rows: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    for index, (kind, data) in enumerate(inputs):
        sender, time_ms = address_of(40 + index), TIME_MS + 1_000 * index
        leaves.append(model.direct_leaf(kind, sender, index, time_ms, data))
        rows.append(
            {
                "kind": kind,
                "sender": sender.hex(),
                "index": index,
                "time_ms": time_ms,
                "data": data.hex(),
                "leaf": leaves[-1].hex(),
                "running_hash": model.chain_hash(leaves).hex(),
            }
        )
    return rows


def _withdrawal(number: int) -> dict[str, Any]:
    withdrawal, chain_id, vault = withdrawals()[number], 412_000 + number, address_of(50)
    return {
        "index": withdrawal.index,
        "chain_id": chain_id,
        "vault": vault.hex(),
        "account": withdrawal.account.hex(),
        "token": withdrawal.token.hex(),
        "amount": str(withdrawal.amount),
        "recipient": withdrawal.recipient.hex(),
        "leaf": withdrawal.leaf(chain_id, vault).hex(),
    }


def _commitment(count: int) -> dict[str, Any]:
    commitment = model.Commitment(tuple(b"\0" + leaf_of(i)[1:] for i in range(count)))
    return {
        "roots": [root.hex() for root in commitment.roots],
        "root": commitment.root().hex(),
        "last_proof": [node.hex() for node in commitment.last_proof()],
    }


def _input_hash(count: int) -> dict[str, Any]:
    records_root, directs_root = _tree(count), _tree(2 * count)
    digest = model.input_hash(records_root, count, directs_root, 2 * count, 1)
    return {
        "records_root": records_root.hex(),
        "records_count": count,
        "directs_root": directs_root.hex(),
        "directs_count": 2 * count,
        "version": 1,
        "input_hash": digest.hex(),
    }
