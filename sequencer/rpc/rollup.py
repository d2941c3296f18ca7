"""
The `rollup_*` methods: batches, finality, promises.

In:  record numbers and hashes.
Out: what node software and auditors need.

Holds: a receipt comes with its path to the sequencer's signature over its commit group.
Not here: sending reports (`rpc.dispatch`).
"""

from __future__ import annotations

from typing import Any

from sequencer.rpc import errors
from sequencer.rpc.context import Context
from sequencer.rpc.methods import method
from sequencer.rpc.params import Params
from sequencer.rpc.shapes import hexed, reason_name
from state._native import receipts_path, version
from state.receipt import InputKind
from state.rows import BatchRow
from state.tx import EXCHANGE

FORMATS_VERSION = 1
_HASH_BYTES = 32


@method("rollup_version", runs="loop")
def rollup_version(context: Context, _: Params) -> dict[str, Any]:
    """What runs, for which rollup, and who signs."""
    deployment = context.deployment
    return {
        "version": version(),
        "formats": FORMATS_VERSION,
        "program_version": deployment.version,
        "chain_id": context.chain_id,
        "l1_chain_id": deployment.l1_chain_id,
        "exchange": hexed(EXCHANGE),
        "inbox": hexed(deployment.inbox),
        "vault": hexed(deployment.vault),
        "rollup": hexed(deployment.rollup),
        "token": hexed(deployment.token),
        "sequencer": hexed(context.signer),
    }


@method("rollup_syncStatus")
def sync_status(context: Context, _: Params) -> dict[str, Any]:
    """How far everything is."""
    queries = context.queries
    finality = queries.finality
    last = queries.store.last_batch()
    return {
        "phase": context.phase(),
        "l1_block": context.l1_block(),
        "l2_unsafe": queries.chain.head.number,
        "l2_posted": finality.posted.block,
        "l2_safe": finality.safe.block,
        "l2_finalized": finality.confirmed.block,
        "records_sealed": last.record + 1 if last else 0,
        "records_posted": finality.posted.records,
        "records_safe": finality.safe.records,
        "records_confirmed": finality.confirmed.records,
        "unsealed_blocks": queries.chain.unsealed,
        "next_seq": queries.engine.next_seq,
        "direct_cursor": queries.engine.direct_cursor,
        "root": hexed(last.root) if last else hexed(context.deployment.genesis_root),
        "content": hexed(last.content) if last else hexed(bytes(_HASH_BYTES)),
        "posting_lag": round(context.lag(), 3),
    }


@method("rollup_getBatch", "record")
def get_batch(context: Context, params: Params) -> Any:
    """A sealed batch, by its L1 record number; null if there is none."""
    row = context.queries.store.batch(params.uint("record"))
    return None if row is None else _batch(context, row)


@method("rollup_getStateRoot", "record")
def get_state_root(context: Context, params: Params) -> Any:
    """State root and chunk root after a batch."""
    row = context.queries.store.batch(params.uint("record"))
    if row is None:
        return None
    return {"record": row.record, "root": hexed(row.root), "state_root": hexed(row.header[32:64])}


@method("rollup_getReceipt", "hash")
def get_receipt(context: Context, params: Params) -> Any:
    """The durable receipt of an input with its path to the signature; null if unknown."""
    queries = context.queries
    located = queries.find(params.fixed("hash", _HASH_BYTES))
    if located is None:
        return None
    decoded = queries.decoded(located)
    return {
        "kind": InputKind(decoded.input_kind).name.lower(),
        "tx_hash": hexed(decoded.hash),
        "seq": decoded.seq,
        "block": decoded.block,
        "index": decoded.index,
        "status": int(decoded.applied),
        "reason": reason_name(decoded.reason),
        "results": [
            {"code": each.code, "reason": reason_name(each.reason), "number": each.reason}
            for each in decoded.operations
        ],
        "finality": queries.finality.stage_of(located.block.record),
        "receipt": hexed(located.receipt),
        "promise": None if located.block.number == 0 else _promise(context, decoded.seq),
    }


def _promise(context: Context, seq: int) -> dict[str, Any] | None:
    group = context.queries.chain.group_of(seq)
    if group is None:
        return None  # executed, and about to be signed
    receipts = context.queries.chain.receipts(group.first_seq, group.count)
    if len(receipts) != group.count:
        raise errors.not_found("commit group")
    return {
        "term": group.term,
        "firstSeq": group.first_seq,
        "count": group.count,
        "receiptsRoot": hexed(group.receipts_root),
        "previous": hexed(group.previous),
        "digest": hexed(group.digest),
        "signature": hexed(group.signature),
        "signer": hexed(context.signer),
        "path": [hexed(each) for each in receipts_path(receipts, seq - group.first_seq)],
    }


def _batch(context: Context, row: BatchRow) -> dict[str, Any]:
    return {
        "record": row.record,
        "first_block": row.first_block,
        "blocks": row.blocks,
        "first_seq": row.first_seq,
        "inputs": row.inputs,
        "operations": row.operations,
        "signatures": row.signatures,
        "t_first_ms": row.t_first_ms,
        "t_last_ms": row.t_last_ms,
        "direct_to": row.direct_to,
        "size_bytes": row.size,
        "meta": hexed(row.meta),
        "page_root": hexed(row.page_root),
        "record_leaf": hexed(row.record_leaf),
        "content": hexed(row.content),
        "root": hexed(row.root),
        "state_root": hexed(row.header[32:64]),
        "finality": context.queries.finality.stage_of(row.record),
        "l1_block": row.l1_block or None,
        "l1_tx": hexed(row.l1_tx) if row.l1_tx else None,
    }
