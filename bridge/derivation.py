"""
Derivation: what L1's logs and calldata mean.

In:    logs of the contracts in L1 order, the calldata of batch transactions.
Out:   events, and the cursor after them.
Holds: pure. The content chain, page roots, record leaves and the running hash of direct inputs are
       computed here and compared with what L1 says; a difference is `DerivationError`, and the
       cursor is left as it was. Equal logs give equal events, wherever ranges of blocks are cut.
Not here: fetching (`follower`), executing (`validator`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.deployment import Deployment
from bridge.errors import DerivationError
from bridge.l1.client import Log
from bridge.l1.contracts import decode_call, decode_event, event_topic
from bridge.records import Frontier, pair, record_leaf
from state._native import keccak256
from state.l1_records import ZERO, Direct, RecordKind, RecordMeta, input_hash

EMPTY = Frontier()


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch landed."""

    record: int
    meta: bytes
    data: bytes
    content: bytes
    l1_block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class AdvanceRecord:
    """Somebody drained the direct inputs; resting orders are void."""

    record: int
    meta: bytes
    content: bytes
    l1_block: int
    tx_hash: bytes

    @property
    def data(self) -> bytes:
        """Return the empty body."""
        return b""


@dataclass(frozen=True, slots=True)
class DirectInput:
    """A direct input waits, or was drained by a later record. `packed` is what is executed."""

    index: int
    kind: int
    sender: bytes
    time_ms: int
    data: bytes
    running_hash: bytes
    packed: bytes
    l1_block: int


@dataclass(frozen=True, slots=True)
class EpochSealed:
    """The inputs of an epoch are fixed: records before `records`."""

    epoch: int
    records: int
    directs: int
    input_hash: bytes
    l1_block: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody claims a commitment for an epoch."""

    epoch: int
    parent_root: bytes
    commitment: bytes
    last_leaf: bytes
    claimant: bytes
    l1_block: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An epoch is final; withdrawals before `withdrawals_count` can be claimed."""

    epoch: int
    root: bytes
    withdrawals_root: bytes
    withdrawals_count: int
    l1_block: int


@dataclass(frozen=True, slots=True)
class WithdrawalPaid:
    """The vault paid a withdrawal."""

    index: int
    recipient: bytes
    token: bytes
    amount: int
    l1_block: int


@dataclass(frozen=True, slots=True)
class Reorged:
    """L1 took `depth` blocks back; everything after `l1_block` is void and comes anew."""

    depth: int
    l1_block: int


L1Event = (
    BatchRecord
    | AdvanceRecord
    | DirectInput
    | EpochSealed
    | Claimed
    | Confirmed
    | WithdrawalPaid
    | Reorged
)


@dataclass(frozen=True, slots=True)
class Chains:
    """Where the running hashes and trees stand."""

    content: bytes = ZERO
    direct_hash: bytes = ZERO
    records: Frontier = EMPTY
    directs: Frontier = EMPTY


def batch_transactions(deployment: Deployment, logs: Sequence[Log]) -> list[bytes]:
    """Return the hashes of transactions whose calldata `derive` will need."""
    topic = event_topic("Inbox", "BatchPosted")
    return [
        log.tx_hash
        for log in logs
        if log.address == deployment.inbox and log.topics[:1] == (topic,)
    ]


def derive(
    deployment: Deployment, chains: Chains, logs: Sequence[Log], calldata: Mapping[bytes, bytes]
) -> tuple[Chains, list[L1Event]]:
    """
    Turn logs into events.

    Parameters
    ----------
    chains :
        Where the logs before these ended.
    logs :
        All logs of Inbox, Rollup and Vault in some range of blocks, in order.
    calldata :
        Input of the transactions that `batch_transactions` names, by hash.

    Raises
    ------
    DerivationError
        L1 contradicts itself.
    """
    events: list[L1Event] = []
    for log in logs:
        if log.address == deployment.inbox:
            chains, event = _inbox(chains, log, calldata)
        elif log.address == deployment.rollup:
            event = _rollup(deployment, chains, log)
        elif log.address == deployment.vault:
            event = _vault(log)
        else:
            raise DerivationError(f"a log of {log.address.hex()} was not asked for")
        if event is not None:
            events.append(event)
    return chains, events


def _inbox(
    chains: Chains, log: Log, calldata: Mapping[bytes, bytes]
) -> tuple[Chains, L1Event | None]:
    found = decode_event("Inbox", log)
    if found is None:
        return chains, None
    name, fields = found
    if name == "DirectInput":
        return _direct(chains, log, fields)
    if name == "BatchPosted":
        meta, data = _batch(log, calldata)
    elif name == "Advanced":
        time_ms, direct_to = fields["timeMs"], fields["directTo"]
        meta, data = RecordMeta(RecordKind.ADVANCE, 0, time_ms, time_ms, direct_to).encode(), b""
    else:
        return chains, None
    return _record(chains, log, fields, meta, data)


def _record(
    chains: Chains, log: Log, fields: dict[str, Any], meta: bytes, data: bytes
) -> tuple[Chains, L1Event]:
    record = fields["record"]
    _same(log, "record number", record, chains.records.count)
    leaf = record_leaf(meta, data)
    _same(log, "record leaf", fields["leaf"], leaf)
    content = pair(chains.content, leaf)
    _same(log, "content chain", fields["content"], content)
    chains = replace(chains, content=content, records=chains.records.append(leaf))
    if meta[0] == RecordKind.ADVANCE:
        return chains, AdvanceRecord(record, meta, content, log.block, log.tx_hash)
    return chains, BatchRecord(record, meta, data, content, log.block, log.tx_hash)


def _batch(log: Log, calldata: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    if log.tx_hash not in calldata:
        raise DerivationError(f"no calldata for the batch in transaction 0x{log.tx_hash.hex()}")
    header, data = decode_call("Inbox", "postBatch", calldata[log.tx_hash])
    _, t_first_ms, t_last_ms, direct_to, _ = header
    return RecordMeta(RecordKind.BATCH, len(data), t_first_ms, t_last_ms, direct_to).encode(), data


def _direct(chains: Chains, log: Log, fields: dict[str, Any]) -> tuple[Chains, L1Event]:
    index = fields["index"]
    _same(log, "index of the direct input", index, chains.directs.count)
    packed = Direct(
        fields["kind"], fields["sender"], index, fields["timeMs"], bytes(fields["data"])
    ).encode()
    leaf = keccak256(packed)
    running_hash = pair(chains.direct_hash, leaf)
    _same(log, "running hash of direct inputs", fields["runningHash"], running_hash)
    event = DirectInput(
        index=index,
        kind=fields["kind"],
        sender=fields["sender"],
        time_ms=fields["timeMs"],
        data=bytes(fields["data"]),
        running_hash=running_hash,
        packed=packed,
        l1_block=log.block,
    )
    return replace(chains, direct_hash=running_hash, directs=chains.directs.append(leaf)), event


def _rollup(deployment: Deployment, chains: Chains, log: Log) -> L1Event | None:
    found = decode_event("Rollup", log)
    if found is None:
        return None
    name, fields = found
    if name == "EpochSealed":
        return _sealed(deployment, chains, log, fields)
    if name == "Proposed":
        return Claimed(
            fields["epoch"],
            fields["parentRoot"],
            fields["commitment"],
            fields["lastLeaf"],
            fields["claimant"],
            log.block,
        )
    if name == "EpochConfirmed":
        return Confirmed(
            fields["epoch"],
            fields["root"],
            fields["withdrawalsRoot"],
            fields["withdrawalsCount"],
            log.block,
        )
    return None


def _sealed(deployment: Deployment, chains: Chains, log: Log, fields: dict[str, Any]) -> L1Event:
    _same(log, "count of sealed records", fields["recordsCount"], chains.records.count)
    _same(log, "count of sealed direct inputs", fields["directsCount"], chains.directs.count)
    ours = input_hash(
        chains.records.root(),
        chains.records.count,
        chains.directs.root(),
        chains.directs.count,
        fields["version"],
    )
    _same(log, "input hash", fields["inputHash"], ours)
    _same(log, "version", fields["version"], deployment.version)
    return EpochSealed(
        fields["epoch"], fields["recordsCount"], fields["directsCount"], ours, log.block
    )


def _vault(log: Log) -> L1Event | None:
    found = decode_event("Vault", log)
    if found is None or found[0] != "Claimed":
        return None
    fields = found[1]
    return WithdrawalPaid(
        fields["index"], fields["recipient"], fields["token"], fields["amount"], log.block
    )


def _same(log: Log, what: str, said: object, computed: object) -> None:
    if said != computed:
        raise DerivationError(
            f"L1 block {log.block}: the {what} is {_shown(said)} there, {_shown(computed)} here"
        )


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
