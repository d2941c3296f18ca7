"""
Promises: the sequencer's signature over each commit group.

In:  the receipts of one group, in order.
Out: `GroupRow` with an EIP-712 signature (formats §6).

`previous` is the digest of the group before (zero for the first), so one signature covers all
receipts from the beginning. Signatures are deterministic: replay gives the same bytes.

Holds: a group covers consecutive sequence numbers.
Not here: a receipt's path to the signature (`sequencer.rpc.rollup`), keeping (`sequencer.chain`).
"""

from __future__ import annotations

from coincurve import PrivateKey

from state._native import receipts_root
from state.eip712 import CommitGroup, commit_group_digest, sign_compact
from state.rows import GroupRow
from state.tx import address_of

ZERO = bytes(32)


class Signer:
    """Signs commit groups, one after the other."""

    def __init__(self, key: bytes, chain_id: int, inbox: bytes, previous: bytes = ZERO) -> None:
        self._key = PrivateKey(key)
        self._chain_id = chain_id
        self._inbox = inbox
        self.previous = previous
        self.address = address_of(self._key)

    def sign(self, term: int, first_seq: int, receipts: list[bytes]) -> GroupRow:
        """Sign the group of these receipts and chain it to the one before."""
        root = receipts_root(receipts)
        group = CommitGroup(term, first_seq, len(receipts), root, self.previous)
        digest = commit_group_digest(group, self._chain_id, self._inbox)
        row = GroupRow(
            first_seq=first_seq,
            count=len(receipts),
            term=term,
            receipts_root=root,
            previous=self.previous,
            digest=digest,
            signature=sign_compact(self._key, digest),
        )
        self.previous = digest
        return row
