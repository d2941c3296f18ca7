"""
Entropy: how few bytes the flow's operations could take on L1.

The floor is 64 bytes a signature plus the order-0 entropy of each field as the codec sees it:
prices and client ids as differences, nonces not at all, because they follow from the order.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable
from math import log2

from sequencer.flow.plan import CODE_CANCEL, Envelope

SIGNATURE_BYTES = 64
BITS_PER_BYTE = 8


class FieldEntropy:
    """Counts the values of each field."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[Hashable]] = defaultdict(Counter)
        self._previous_tick = 0
        self._previous_id: dict[int, int] = {}
        self.envelopes = 0

    def count(self, envelope: Envelope) -> None:
        """Add one envelope."""
        self.envelopes += 1
        seen = self._seen
        seen["account"][envelope.account] += 1
        seen["operations"][len(envelope.operations)] += 1
        for code, buy, tick, lots, client_id in envelope.operations:
            # A cancel and a replace do not say the side: the order has it.
            seen["code"][code, buy and code == 1, envelope.taker] += 1
            previous = self._previous_id.get(envelope.account, 0)
            seen["client_id"][client_id - previous] += 1
            self._previous_id[envelope.account] = client_id
            if code != CODE_CANCEL:
                seen["price"][tick - self._previous_tick] += 1
                seen["qty"][lots] += 1
                self._previous_tick = tick

    def floor_bytes(self, signatures: int) -> float:
        """64 bytes for each signature plus the entropy of all fields."""
        bits = sum(_entropy_bits(values) for values in self._seen.values())
        return SIGNATURE_BYTES * signatures + bits / BITS_PER_BYTE


def _entropy_bits(values: Counter[Hashable]) -> float:
    total = values.total()
    return -sum(n * log2(n / total) for n in values.values())
