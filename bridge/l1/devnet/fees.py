"""
Fees of the embedded L1: `eth_feeHistory`, `eth_gasPrice`, `eth_maxPriorityFeePerGas`.

In:    headers and receipts.
Out:   what geth would answer: oldest block first, the next base fee at the end, tips by percentile.
"""

from __future__ import annotations

from typing import Any

from bridge.l1.devnet.chain import Chain
from bridge.l1.devnet.failure import params_failure
from bridge.l1.devnet.render import quantity
from bridge.l1.devnet.vm import base_fee_wei

BLOCKS_MAX = 1_024
PERCENTILES_MAX = 100
PERCENT = 100
DEFAULT_TIP_WEI = 10**9


def next_base_fee(chain: Chain) -> int:
    """Return the base fee of the next block."""
    head = chain.head
    return base_fee_wei(chain.machine.next_header(head, head.timestamp + 1))


def history(chain: Chain, count: int, newest: int, percentiles: list[Any]) -> dict[str, Any]:
    """Return the fee history of up to `count` blocks that end with `newest`."""
    wanted = _percentiles(percentiles)
    count = min(count, BLOCKS_MAX, newest + 1)
    if count == 0:
        return {"oldestBlock": "0x0", "gasUsedRatio": []}
    oldest = newest - count + 1
    headers = [chain.header(number) for number in range(oldest, newest + 1)]
    after = chain.machine.next_header(headers[-1], headers[-1].timestamp + 1)
    answer: dict[str, Any] = {
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": [quantity(base_fee_wei(header)) for header in [*headers, after]],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        "baseFeePerBlobGas": ["0x1"] * (count + 1),
        "blobGasUsedRatio": [0] * count,
    }
    if wanted:
        answer["reward"] = [_rewards(chain, header.block_number, wanted) for header in headers]
    return answer


def _rewards(chain: Chain, number: int, percentiles: list[float]) -> list[str]:
    """Return tips by share of gas in one block; zeros for an empty one."""
    row = chain.index.block(number)
    assert row is not None
    base_fee = int(row["baseFeePerGas"], 16)
    tips: list[tuple[int, int]] = []
    for text in row["transactions"]:
        receipt = chain.index.receipt(bytes.fromhex(text[2:]))
        assert receipt is not None
        tip = int(receipt["effectiveGasPrice"], 16) - base_fee
        tips.append((tip, int(receipt["gasUsed"], 16)))
    if not tips:
        return ["0x0"] * len(percentiles)
    tips.sort()
    total = sum(gas for _, gas in tips)
    return [quantity(_tip_at(tips, total * share / 100)) for share in percentiles]


def _tip_at(tips: list[tuple[int, int]], gas: float) -> int:
    passed = 0
    for tip, used in tips:
        passed += used
        if passed >= gas:
            return tip
    return tips[-1][0]


def _percentiles(given: Any) -> list[float]:
    if not isinstance(given, list) or len(given) > PERCENTILES_MAX:
        raise params_failure("invalid reward percentiles")
    last = 0.0
    for share in given:
        if not isinstance(share, int | float) or not last <= share <= PERCENT:
            raise params_failure("invalid reward percentile: must rise from 0 to 100")
        last = float(share)
    return [float(share) for share in given]
