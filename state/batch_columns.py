"""
The sixteen columns of a segment (docs/formats.md §4).

In:  inputs of a block, or a reader over a segment's bytes.
Out: the columns one after another; and back.

Holds: each column is a generator of bytes and a loop that reads it, in the page's order.
Not here: head of the segment, canonical form (`state.batch`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from state.eip712 import Report
from state.errors import BadBatchError
from state.tx import (
    DEFAULT_FEES,
    OPERATIONS_MAX,
    Cancel,
    CancelAll,
    CancelById,
    Envelope,
    Fees,
    LegacyFees,
    Operation,
    Place,
    Replace,
    Type2Fees,
    Withdraw,
    encode_varint,
    operation_byte,
)

U64 = 2**64
U32_MAX = 2**32 - 1
POWER_MAX = 15
TYPE2_DEFAULT, TYPE2, LEGACY, REPORT, BATCH = 0, 1, 2, 3, 8
PLACE, CANCEL, CANCEL_BY_ID, REPLACE, CANCEL_ALL, WITHDRAW = 1, 2, 3, 4, 5, 6
KEPT_TIF, KEPT_REDUCE_ONLY = 0x20, 0x80


class Reader:
    """A cursor over bytes; every shortage raises `BadBatchError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def remaining(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.remaining():
            raise BadBatchError("the data ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def varint(self, bits: int = 64) -> int:
        """An integer below 2^bits, in the least bytes."""
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if value >> bits:
                raise BadBatchError(f"a varint over {bits} bits")
            if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
                break
            shift += 7
            if shift >= bits + 7:
                raise BadBatchError("an endless varint")
        if byte == 0 and shift:
            raise BadBatchError("a varint with a byte too many")
        return value

    def u32(self) -> int:
        """A varint of 32 bits."""
        return self.varint(32)

    def difference(self) -> int:
        """A zigzag varint: a difference of 64 bits, wrapping."""
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def encode_difference(value: int, previous: int) -> bytes:
    """`value - previous`, wrapping in 64 bits, as a zigzag varint."""
    difference = (value - previous) % U64
    if difference >= U64 // 2:
        difference -= U64
    return encode_varint(2 * difference if difference >= 0 else -2 * difference - 1)


def largest_power(values: Sequence[int]) -> int:
    """The largest k up to 15 so that 10^k divides all values; 0 if all are zero."""
    if not any(values):
        return 0
    return max(k for k in range(POWER_MAX + 1) if all(value % 10**k == 0 for value in values))


# --- encoding ---


def encode_inputs(inputs: Sequence[Envelope | Report], time_ms: int) -> bytes:
    """All columns of a block's inputs."""
    envelopes = [entry for entry in inputs if isinstance(entry, Envelope)]
    reports = [entry for entry in inputs if isinstance(entry, Report)]
    operations = [operation for envelope in envelopes for operation in envelope.operations]
    columns: list[Iterator[bytes]] = [
        (bytes([_form(entry)]) for entry in inputs),
        _accounts(envelopes),
        _nonces(envelopes),
        _fees(envelopes),
        (encode_varint(envelope.subaccount) for envelope in envelopes),
        (encode_varint(len(e.operations)) for e in envelopes if e.batch),
        (bytes([operation_byte(operation)]) for operation in operations),
        _markets(operations),
        _prices_and_quantities(operations),
        _client_ids(envelopes),
        (encode_varint(o.order_id) for o in operations if isinstance(o, CancelById)),
        (
            o.token + encode_varint(o.amount) + o.recipient
            for o in operations
            if isinstance(o, Withdraw)
        ),
        _reports(reports, time_ms),
        (entry.signature for entry in inputs),
    ]
    return b"".join(b"".join(column) for column in columns)


def _form(entry: Envelope | Report) -> int:
    if isinstance(entry, Report):
        return REPORT
    form = LEGACY if isinstance(entry.fees, LegacyFees) else TYPE2
    if entry.fees == DEFAULT_FEES:
        form = TYPE2_DEFAULT
    return form | BATCH * entry.batch


def _accounts(envelopes: Sequence[Envelope]) -> Iterator[bytes]:
    introduced: list[int] = []
    for envelope in envelopes:
        if envelope.account in introduced:
            yield encode_varint(introduced.index(envelope.account) + 1)
        else:
            introduced.append(envelope.account)
            yield encode_varint(0) + encode_varint(envelope.account)


def _nonces(envelopes: Sequence[Envelope]) -> Iterator[bytes]:
    previous: dict[int, int] = {}
    for envelope in envelopes:
        before = previous.get(envelope.account, -1)
        yield encode_varint((envelope.nonce - before - 1) % U64)
        previous[envelope.account] = envelope.nonce


def _fees(envelopes: Sequence[Envelope]) -> Iterator[bytes]:
    for envelope in envelopes:
        match envelope.fees:
            case LegacyFees(gas_price, gas):
                yield encode_varint(gas_price) + encode_varint(gas)
            case Type2Fees(tip, max_fee, gas) if envelope.fees != DEFAULT_FEES:
                yield encode_varint(tip) + encode_varint(max_fee) + encode_varint(gas)


def _markets(operations: Sequence[Operation]) -> Iterator[bytes]:
    for operation in operations:
        match operation:
            case Place() | Cancel() | Replace():
                yield encode_varint(operation.market)
            case CancelAll(market):
                yield encode_varint(0 if market is None else market + 1)


def _prices_and_quantities(operations: Sequence[Operation]) -> Iterator[bytes]:
    quotes = [operation for operation in operations if isinstance(operation, Place | Replace)]
    markets = list(dict.fromkeys(quote.market for quote in quotes))
    divisors: dict[int, tuple[int, int]] = {}
    for market in markets:
        own = [quote for quote in quotes if quote.market == market]
        k = largest_power([quote.price_e9 for quote in own])
        j = largest_power([quote.qty_e9 for quote in own])
        divisors[market] = 10**k, 10**j
        yield bytes([k | j << 4])
    previous = dict.fromkeys(markets, 0)
    for quote in quotes:
        value = quote.price_e9 // divisors[quote.market][0]
        yield encode_difference(value, previous[quote.market])
        previous[quote.market] = value
    for quote in quotes:
        yield encode_varint(quote.qty_e9 // divisors[quote.market][1])


def _client_ids(envelopes: Sequence[Envelope]) -> Iterator[bytes]:
    previous: dict[int, int] = {}
    for envelope in envelopes:
        for operation in envelope.operations:
            if isinstance(operation, Place | Cancel | Replace):
                before = previous.get(envelope.account, 0)
                yield encode_difference(operation.client_id, before)
                previous[envelope.account] = operation.client_id


def _reports(reports: Sequence[Report], time_ms: int) -> Iterator[bytes]:
    previous: dict[int, int] = {}
    for report in reports:
        yield encode_varint(report.feed)
        yield encode_difference(report.price_e9, previous.get(report.feed, 0))
        yield encode_difference(report.time_ms, time_ms)
        previous[report.feed] = report.price_e9


# --- decoding ---


@dataclass(slots=True)
class _DraftOperation:
    """An operation whose fields arrive column by column."""

    byte: int
    market: int = 0
    price_e9: int = 0
    qty_e9: int = 0
    client_id: int = 0
    order_id: int = 0
    withdraw: tuple[bytes, int, bytes] = (b"", 0, b"")

    @property
    def code(self) -> int:
        return self.byte & 7

    def finish(self) -> Operation:
        match self.code:
            case 1:
                buy, ioc, post_only = (bool(self.byte & bit) for bit in (8, 16, 64))
                return Place(
                    self.market, buy, self.price_e9, self.qty_e9, ioc, post_only, self.client_id
                )
            case 2:
                return Cancel(self.market, self.client_id)
            case 3:
                return CancelById(self.order_id)
            case 4:
                return Replace(self.market, self.client_id, self.price_e9, self.qty_e9)
            case 5:
                return CancelAll(self.market - 1 if self.market else None)
            case _:
                return Withdraw(*self.withdraw)


@dataclass(slots=True)
class _Draft:
    """An input whose fields arrive column by column."""

    form: int
    values: dict[str, Any] = field(default_factory=dict)
    operations: list[_DraftOperation] = field(default_factory=list)

    @property
    def is_report(self) -> bool:
        return self.form == REPORT

    def finish(self) -> Envelope | Report:
        if self.is_report:
            return Report(**self.values)
        operations = tuple(operation.finish() for operation in self.operations)
        return Envelope(operations=operations, batch=bool(self.form & BATCH), **self.values)


def decode_inputs(reader: Reader, count: int, time_ms: int) -> list[Envelope | Report]:
    """Read all columns of `count` inputs."""
    drafts = [_Draft(form) for form in reader.take(count)]
    if any(draft.form not in {0, 1, 2, 3, 8, 9, 10} for draft in drafts):
        raise BadBatchError("no such form of input")
    envelopes = [draft for draft in drafts if not draft.is_report]
    _read_accounts(reader, envelopes)
    _read_nonces(reader, envelopes)
    for draft in envelopes:
        draft.values["fees"] = _read_fees(reader, draft.form & 7)
    for draft in envelopes:
        draft.values["subaccount"] = reader.u32()
    _read_operation_bytes(reader, envelopes)
    operations = [operation for draft in envelopes for operation in draft.operations]
    for operation in operations:
        if operation.code in {PLACE, CANCEL, REPLACE, CANCEL_ALL}:
            operation.market = reader.u32()
    _read_prices_and_quantities(reader, operations)
    _read_client_ids(reader, envelopes)
    for operation in operations:
        if operation.code == CANCEL_BY_ID:
            operation.order_id = reader.varint()
    for operation in operations:
        if operation.code == WITHDRAW:
            operation.withdraw = (reader.take(20), reader.varint(128), reader.take(20))
    _read_reports(reader, [draft for draft in drafts if draft.is_report], time_ms)
    for draft in drafts:
        draft.values["signature"] = reader.take(64)
    return [draft.finish() for draft in drafts]


def _read_accounts(reader: Reader, envelopes: Sequence[_Draft]) -> None:
    introduced: list[int] = []
    for draft in envelopes:
        place = reader.varint()
        if place > len(introduced):
            raise BadBatchError("an account that was not introduced")
        if place == 0:
            introduced.append(reader.u32())
        draft.values["account"] = introduced[place - 1]


def _read_nonces(reader: Reader, envelopes: Sequence[_Draft]) -> None:
    previous: dict[int, int] = {}
    for draft in envelopes:
        account = draft.values["account"]
        nonce = (reader.varint() + previous.get(account, -1) + 1) % U64
        draft.values["nonce"] = previous[account] = nonce


def _read_fees(reader: Reader, form: int) -> Fees:
    if form == TYPE2:
        return Type2Fees(reader.varint(), reader.varint(), reader.varint())
    if form == LEGACY:
        return LegacyFees(reader.varint(), reader.varint())
    return DEFAULT_FEES


def _read_operation_bytes(reader: Reader, envelopes: Sequence[_Draft]) -> None:
    counts = [reader.varint() if draft.form & BATCH else 1 for draft in envelopes]
    if any(not 1 <= count <= OPERATIONS_MAX for count in counts):
        raise BadBatchError("an envelope has 1 to 64 operations")
    for draft, count in zip(envelopes, counts, strict=True):
        draft.operations = [_DraftOperation(byte) for byte in reader.take(count)]
        for operation in draft.operations:
            lawful = operation.byte in {CANCEL, CANCEL_BY_ID, REPLACE, CANCEL_ALL, WITHDRAW}
            kept = operation.byte & (KEPT_TIF | KEPT_REDUCE_ONLY)
            if not lawful and (operation.code != PLACE or kept):
                raise BadBatchError(f"no such operation: {operation.byte:#x}")


def _read_prices_and_quantities(reader: Reader, operations: Sequence[_DraftOperation]) -> None:
    quotes = [operation for operation in operations if operation.code in {PLACE, REPLACE}]
    markets = list(dict.fromkeys(quote.market for quote in quotes))
    powers = {market: reader.byte() for market in markets}
    previous = dict.fromkeys(markets, 0)
    for quote in quotes:
        value = (previous[quote.market] + reader.difference()) % U64
        previous[quote.market] = value
        quote.price_e9 = value * 10 ** (powers[quote.market] & 15)
    for quote in quotes:
        quote.qty_e9 = reader.varint() * 10 ** (powers[quote.market] >> 4)
    if any(quote.price_e9 >= U64 or quote.qty_e9 >= U64 for quote in quotes):
        raise BadBatchError("a price or quantity over 64 bits")


def _read_client_ids(reader: Reader, envelopes: Sequence[_Draft]) -> None:
    previous: dict[int, int] = {}
    for draft in envelopes:
        account = draft.values["account"]
        for operation in draft.operations:
            if operation.code in {PLACE, CANCEL, REPLACE}:
                value = (previous.get(account, 0) + reader.difference()) % U64
                operation.client_id = previous[account] = value


def _read_reports(reader: Reader, reports: Sequence[_Draft], time_ms: int) -> None:
    previous: dict[int, int] = {}
    for draft in reports:
        feed = reader.u32()
        price = (previous.get(feed, 0) + reader.difference()) % U64
        time = (time_ms + reader.difference()) % U64
        draft.values.update(feed=feed, price_e9=price, time_ms=time)
        previous[feed] = price
