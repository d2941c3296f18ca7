"""`state.l1_records` against the hashes that the contracts are held to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state import l1_records as l1

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "l1_hashes.json").read_text())


def data_of(size: int) -> bytes:
    return bytes((31 * i + 17 * (i >> 8) + 7) & 0xFF for i in range(size))


def test_pages_have_the_roots_that_l1_computes() -> None:
    assert VECTORS["pages"]
    for case in VECTORS["pages"]:
        assert l1.page_root(data_of(case["bytes"])).hex() == case["root"]


def test_records_and_their_chain_have_the_hashes_that_l1_computes() -> None:
    content = l1.ZERO
    for case in VECTORS["records"]:
        meta = l1.RecordMeta(
            l1.RecordKind(case["kind"]),
            case["bytes"],
            case["t_first"],
            case["t_last"],
            case["direct_to"],
        )
        assert l1.RecordMeta.decode(meta.encode()) == meta
        pages = l1.page_root(data_of(case["bytes"])) if case["kind"] == 1 else l1.ZERO
        leaf = l1.record_leaf(meta, pages)
        content = l1.next_content(content, leaf)
        assert (leaf.hex(), content.hex()) == (case["leaf"], case["content"])
    assert content != l1.ZERO


def test_direct_inputs_and_their_chain_have_the_hashes_that_l1_computes() -> None:
    running = l1.ZERO
    for case in VECTORS["directs"]:
        direct = l1.Direct(
            case["kind"],
            bytes.fromhex(case["sender"]),
            case["index"],
            case["time_ms"],
            bytes.fromhex(case["data"]),
        )
        assert l1.Direct.decode(direct.encode()) == direct
        leaf = l1.direct_leaf(direct)
        running = l1.next_direct_hash(running, leaf)
        assert (leaf.hex(), running.hex()) == (case["leaf"], case["running_hash"])
    assert running != l1.ZERO


def test_withdrawals_epochs_headers_and_commitments_have_the_hashes_that_l1_computes() -> None:
    for case in VECTORS["withdrawals"]:
        addresses = [
            bytes.fromhex(case[name]) for name in ("vault", "account", "token", "recipient")
        ]
        vault, owner, token, recipient = addresses
        withdrawal = l1.Withdrawal(
            case["index"], case["chain_id"], vault, owner, token, int(case["amount"]), recipient
        )
        assert l1.withdrawal_leaf(withdrawal).hex() == case["leaf"]
    for case in VECTORS["input_hashes"]:
        result = l1.input_hash(
            bytes.fromhex(case["records_root"]),
            case["records_count"],
            bytes.fromhex(case["directs_root"]),
            case["directs_count"],
            case["version"],
        )
        assert result.hex() == case["input_hash"]
    for case in VECTORS["headers"]:
        assert l1.header_root([bytes.fromhex(word) for word in case["words"]]).hex() == case["root"]
    for case in VECTORS["commitments"]:
        roots = [bytes.fromhex(root) for root in case["roots"]]
        assert l1.commitment_root(roots).hex() == case["root"]


def test_what_is_no_record_and_no_direct_input_is_refused() -> None:
    for word in (bytes(32), b"\3" + bytes(31), b"\1\0\1" + bytes(29), b"\1" + bytes(30)):
        with pytest.raises(ValueError, match=r"record|Kind"):
            l1.RecordMeta.decode(word)
    with pytest.raises(ValueError, match="37"):
        l1.Direct.decode(bytes(36))
    with pytest.raises(ValueError, match="chunks"):
        l1.commitment_root([])
