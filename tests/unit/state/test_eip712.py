"""`state.eip712` against eth-account."""

from __future__ import annotations

import json
from pathlib import Path

from eth_keys import keys

from state import eip712, tx

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "eip712.json").read_text())
KEY = b"\x07" * 32


def test_digests_are_those_of_eth_account() -> None:
    assert VECTORS["reports"]
    assert VECTORS["commit_groups"]
    for case in VECTORS["reports"]:
        report = eip712.Report(case["feed"], case["price_e9"], case["time_ms"])
        inbox = bytes.fromhex(case["inbox"])
        digest = eip712.report_digest(report, int(case["chain_id"]), inbox)
        assert digest.hex() == case["digest"]
    for case in VECTORS["commit_groups"]:
        group = eip712.CommitGroup(
            case["term"],
            case["first_seq"],
            case["count"],
            bytes.fromhex(case["receipts_root"]),
            bytes.fromhex(case["previous"]),
        )
        inbox = bytes.fromhex(case["inbox"])
        digest = eip712.commit_group_digest(group, int(case["chain_id"]), inbox)
        assert digest.hex() == case["digest"]


def test_a_signed_report_recovers_to_its_reporter() -> None:
    inbox = b"\x05" * 20
    parities = set()
    for price in range(1, 17):
        report = eip712.sign_report(KEY, eip712.Report(1, price, 3), 412_000, inbox)
        r = int.from_bytes(report.signature[:32])
        s = int.from_bytes(report.signature[32:])
        signature = keys.Signature(vrs=(s >> 255, r, s & (1 << 255) - 1))
        digest = eip712.report_digest(report, 412_000, inbox)
        signer = signature.recover_public_key_from_msg_hash(digest)
        assert signer.to_canonical_address() == tx.address_of(KEY)
        parities.add(s >> 255)
    assert parities == {0, 1}
