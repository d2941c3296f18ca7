"""
Calls of the embedded L1: `eth_call`, `eth_estimateGas`, and how a failed one is told.

In:    a transaction object as JSON, a block.
Out:   output bytes, a gas limit with which it succeeds.
Holds: the data of a revert goes out untouched (code 3), so that clients can decode custom errors.
"""

from __future__ import annotations

from typing import Any

from eth.abc import BlockHeaderAPI
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from bridge.l1.devnet import parse, render
from bridge.l1.devnet.chain import Chain
from bridge.l1.devnet.failure import REVERTED, RpcFailureError, params_failure
from bridge.l1.devnet.pool import TX_GAS, floor_gas
from bridge.l1.devnet.vm import GAS_LIMIT, Call, Outcome, with_gas

CREATE_GAS = 32_000
NONZERO_GAS = 16
ZERO_GAS = 4
INITCODE_WORD_GAS = 2
STIPEND_GAS = 2_300
# An estimate may be this much above the least gas, as geth's.
TOLERANCE_PERCENT = 1
SEARCH_STEPS_MAX = 40
ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")


def read_call(item: Any) -> Call:
    """Read a transaction object."""
    if not isinstance(item, dict):
        raise params_failure("invalid argument 0: transaction must be an object")
    given = item.get("input", item.get("data"))
    body = b"" if given is None else parse.data(given, "input")
    target = item.get("to")
    to = b"" if target in (None, "", "0x") else parse.address(target, "to")
    source = item.get("from")
    gas = parse.quantity(item["gas"], "gas") if item.get("gas") is not None else GAS_LIMIT
    return Call(
        sender=bytes(20) if source is None else parse.address(source, "from"),
        to=to,
        data=body,
        value=0 if item.get("value") is None else parse.quantity(item["value"], "value"),
        gas=min(gas, GAS_LIMIT),
        intrinsic_gas=_intrinsic_gas(body, to == b""),
    )


def call(chain: Chain, request: Call, header: BlockHeaderAPI) -> bytes:
    """Run a call and return its output."""
    outcome = chain.run(request, header)
    if not outcome.ok:
        raise _failure(outcome)
    return outcome.output


def estimate(chain: Chain, request: Call, header: BlockHeaderAPI) -> int:
    """Return a gas limit with which the transaction succeeds, at or above the calldata floor."""
    high = request.gas
    first = chain.run(request, header)
    if not first.ok:
        raise _failure(first)
    floor = max(floor_gas(request.data), request.intrinsic_gas)
    low = max(first.gas_used, request.intrinsic_gas) - 1
    # Of each level's gas 1/64 stays behind: this guess is nearly always enough.
    guess = (first.gas_used + STIPEND_GAS) * 64 // 63
    if guess < high and chain.run(with_gas(request, guess), header).ok:
        high = guess
    for _ in range(SEARCH_STEPS_MAX):
        if (high - low) * 100 <= high * TOLERANCE_PERCENT:
            break
        middle = (high + low) // 2
        if chain.run(with_gas(request, middle), header).ok:
            high = middle
        else:
            low = middle
    if first.gas_used <= floor and high <= floor:
        return floor
    return max(high, floor)


def _failure(outcome: Outcome) -> RpcFailureError:
    if not outcome.reverted:
        return RpcFailureError(outcome.error or "execution failed")
    text = _reason(outcome.output)
    message = "execution reverted" + (f": {text}" if text else "")
    return RpcFailureError(message, REVERTED, render.data(outcome.output))


def _reason(output: bytes) -> str:
    try:
        if output[:4] == ERROR_STRING:
            return str(abi_decode(["string"], output[4:])[0])
        if output[:4] == PANIC:
            return f"panic code {abi_decode(['uint256'], output[4:])[0]:#04x}"
    except DecodingError:
        pass
    return ""


def _intrinsic_gas(body: bytes, creates: bool) -> int:
    zeros = body.count(0)
    gas = TX_GAS + ZERO_GAS * zeros + NONZERO_GAS * (len(body) - zeros)
    if creates:
        gas += CREATE_GAS + INITCODE_WORD_GAS * ((len(body) + 31) // 32)
    return gas
