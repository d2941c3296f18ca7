"""
Errors: why something was refused, one class per reason.

In:  the number of a reason (receipts, admission), or the mistake itself.
Out: an exception with number, slug, text and what to do about it.

Holds: numbers and names of docs/formats.md §9; the same list as `tests/vectors/errors.json`.
Not here: codes of the JSON-RPC (`sequencer`).
"""

from __future__ import annotations

import re
from typing import ClassVar


class BadBatchError(ValueError):
    """A batch, or a segment of it, that does not decode: it ends there (docs/formats.md §4)."""


class ProtocolError(Exception):
    """A refusal by the rules: the state is as if the input had never come."""

    number: ClassVar[int] = 0
    slug: ClassVar[str] = "unknown"
    message: ClassVar[str] = "Refused."
    hint: ClassVar[str] = ""

    def __init_subclass__(cls, number: int = 0, hint: str = "") -> None:
        super().__init_subclass__()
        if number:
            cls.number, cls.hint = number, hint
            cls.slug = re.sub(r"(?<!^)([A-Z])", r"_\1", cls.__name__.removesuffix("Error")).lower()
            # The sentence under the class is its text; without docstrings (-OO) the slug has to do.
            cls.message = cls.__doc__ or cls.slug
            assert number not in _BY_NUMBER, f"two reasons have the number {number}"
            _BY_NUMBER[number] = cls

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.message} {detail}".rstrip())
        self.detail = detail


_BY_NUMBER: dict[int, type[ProtocolError]] = {}


def by_number(number: int) -> type[ProtocolError]:
    """The class of a reason; KeyError for a number that no reason has."""
    return _BY_NUMBER[number]


def all_errors() -> list[type[ProtocolError]]:
    """Every reason, in order of number."""
    return [_BY_NUMBER[number] for number in sorted(_BY_NUMBER)]


class EnvelopeError(ProtocolError):
    """An envelope was refused as a whole."""


class MalformedError(
    EnvelopeError,
    number=1,
    hint="Send the signed transaction as your library returns it, as one 0x-prefixed hex string.",
):
    """Not an RLP transaction."""


class WrongChainIdError(
    EnvelopeError, number=2, hint="Sign with the chain id that eth_chainId answers."
):
    """Signed for another chain."""


class WrongRecipientError(
    EnvelopeError, number=3, hint="Set 'to' to 0x000000000000000000000000000000004e4f5641."
):
    """Not sent to the exchange address."""


class ValueNotZeroError(
    EnvelopeError, number=4, hint="Set 'value' to 0: deposits are made on L1, in the Vault."
):
    """Carries value."""


class AccessListNotEmptyError(EnvelopeError, number=5, hint="Leave 'accessList' empty."):
    """Carries an access list."""


class NonCanonicalEncodingError(
    EnvelopeError,
    number=6,
    hint="Encode calldata with the published ABI, integers in the least bytes, nothing after them.",
):
    """Another encoding of the same meaning exists."""


class UnknownSelectorError(
    EnvelopeError, number=7, hint="Use a function of the published exchange ABI."
):
    """No such function."""


class SignatureInvalidError(
    EnvelopeError, number=8, hint="Sign the transaction again with an unmodified library."
):
    """The signature recovers to nobody."""


class SignatureHighSError(
    EnvelopeError, number=9, hint="Replace s by n - s and flip the parity, as EIP-2 asks."
):
    """The signature's s is in the upper half."""


class SignerUnknownError(
    EnvelopeError,
    number=10,
    hint="Deposit on L1 first; the account exists once the deposit is credited.",
):
    """The signer has no account, or not the one named."""


class NonceTooLowError(
    EnvelopeError,
    number=11,
    hint="Read the next nonce with eth_getTransactionCount ('pending') and sign again.",
):
    """Nonce already used."""


class NonceTooHighError(
    EnvelopeError, number=12, hint="Send the transactions before it first; nonces have no gaps."
):
    """Nonce ahead of the account's."""


class TooManyOperationsError(
    EnvelopeError, number=13, hint="Split the batch so that each part has 1 to 64 operations."
):
    """Not 1 to 64 operations."""


class FeeFieldTooLargeError(
    EnvelopeError, number=14, hint="Use the fees that the node answers; nothing is charged."
):
    """A fee field over 64 bits."""


class UnsupportedTxTypeError(
    EnvelopeError, number=15, hint="Send a type 2 (EIP-1559) or a legacy transaction with EIP-155."
):
    """Not type 0 or 2."""


class NotReplayProtectedError(
    EnvelopeError, number=16, hint="Sign the legacy transaction with a chain id (EIP-155)."
):
    """Type 0 without EIP-155."""


class AmountTooLargeError(EnvelopeError, number=17, hint="Withdraw less than 2^128 token units."):
    """A withdrawal over 128 bits."""


class OperationError(ProtocolError):
    """An operation changed nothing."""


class MarketUnknownError(
    OperationError, number=100, hint="List the markets with public/get_instruments."
):
    """No such market."""


class MarketHaltedError(
    OperationError, number=101, hint="Cancel what is open, or wait until trading resumes."
):
    """The market is halted."""


class PriceWrongTickError(OperationError, number=102, hint="Round the price to the market's tick."):
    """Price is not a multiple of the tick, or out of the book's range."""


class QtyWrongLotError(OperationError, number=103, hint="Round the quantity to the market's lot."):
    """Quantity is zero or not a multiple of the lot."""


class NotionalTooSmallError(
    OperationError,
    number=104,
    hint="Raise the quantity until price times quantity reaches the minimum.",
):
    """Order value below the market's minimum."""


class PriceOutOfBandError(OperationError, number=105, hint="Move the price closer to mark."):
    """Price outside the band around mark."""


class PostOnlyWouldCrossError(
    OperationError, number=106, hint="Move the price away from the other side, or drop post-only."
):
    """A post-only order would have taken."""


class MarginInsufficientError(
    OperationError, number=107, hint="Deposit, reduce the quantity, or close other positions."
):
    """Equity below the initial margin of the result."""


class OrderNotFoundError(
    OperationError, number=108, hint="It may be filled or cancelled: look at its receipts."
):
    """No open order with that id."""


class ClientIdInUseError(
    OperationError, number=109, hint="Use another client id, or replace the order."
):
    """An open order has that client id."""


class TooManyOpenOrdersError(
    OperationError, number=110, hint="Cancel some first, or use another subaccount."
):
    """256 orders are open."""


class TooManyPositionsError(
    OperationError, number=111, hint="Close one first, or use another subaccount."
):
    """32 positions are open."""


class OverflowError(OperationError, number=112, hint="Use smaller amounts."):
    """A number left its range."""


class SubaccountUnknownError(
    OperationError,
    number=113,
    hint="A subaccount exists after its first deposit; numbers are 0 to 15.",
):
    """No such subaccount."""


class TifUnsupportedError(
    OperationError, number=114, hint="Use 0 (good till cancelled) or 1 (immediate or cancel)."
):
    """Time in force not offered."""


class FlagsUnsupportedError(OperationError, number=115, hint="Use 0, or 1 for post-only."):
    """Flag not offered."""


class BalanceInsufficientError(
    OperationError, number=116, hint="Withdraw at most the free balance."
):
    """Less quote than asked for can leave."""


class AmountDoesNotFitError(
    OperationError, number=117, hint="Give a positive amount in whole token units."
):
    """Amount is zero or does not fit the unit."""


class TokenUnknownError(OperationError, number=118, hint="Use the address of the quote token."):
    """Token not listed."""


class MarketReduceOnlyError(
    OperationError, number=119, hint="Reduce the position, or wait until the index is fresh."
):
    """Only reductions are taken (stale price, or by governance)."""


class TooHeavyError(OperationError, number=120, hint="Put fewer operations into one envelope."):
    """The envelope's budget of work is used up."""


class SelfTradeError(OperationError, number=121, hint="Cancel your own order first."):
    """Both orders belong to one owner: the maker is cancelled."""


class FillLimitError(OperationError, number=122, hint="Send the rest as a new order."):
    """64 fills are reached: the rest is cancelled."""


class IocRemainderError(OperationError, number=123, hint="Nothing to do: what could fill did."):
    """The rest of an immediate-or-cancel order."""


class MakerMarginError(OperationError, number=124, hint="Deposit before you quote again."):
    """The maker could not carry the fill."""


class BookVoidedError(OperationError, number=125, hint="Place the orders again."):
    """All orders were voided by `advance`."""


class PriceZeroError(OperationError, number=126, hint="Give a limit price above zero."):
    """Price is zero."""


class ReduceStoppedError(
    OperationError, number=127, hint="Send a new order if the rest is still wanted."
):
    """A reducing order stopped where it would no longer reduce risk."""


class ReportError(ProtocolError):
    """An oracle report was skipped."""


class ReporterUnknownError(
    ReportError, number=200, hint="Sign with a listed reporter's key, for this chain and Inbox."
):
    """Not signed by a reporter."""


class ReportOlderError(ReportError, number=201, hint="Send reports in order of their time."):
    """Not newer than the reporter's last."""


class ReportFromFutureError(ReportError, number=202, hint="Check the reporter's clock."):
    """Observed after the block's time."""


class FeedUnknownError(ReportError, number=203, hint="Use a feed that a market names."):
    """No such feed."""


class DirectError(ProtocolError):
    """A direct input from L1 was skipped."""


class DirectMalformedError(
    DirectError, number=300, hint="Encode the data as docs/formats.md §3 has it."
):
    """Direct input's data has the wrong form."""


class GovernanceInvalidError(
    DirectError, number=301, hint="Check the parameters against docs/formats.md §8."
):
    """Governance parameters out of range."""


class DirectUnsupportedError(
    DirectError, number=302, hint="Use a kind that docs/formats.md §3 offers."
):
    """Direct input of a kind not yet offered."""


class NodeError(ProtocolError):
    """What a node says by itself: the transition knows nothing of it."""


class ReorgedError(
    NodeError, number=400, hint="Look at the account's nonce, sign again, and send it again."
):
    """L1 could not take its batch, and it was not valid when it was sequenced anew."""
