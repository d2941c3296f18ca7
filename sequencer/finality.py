"""
Finality: how far each batch has come.

In:  batches sealed here, posted by `bridge.poster`, seen on L1 by `sequencer.l1`.
Out: `received`, `posted`, `safe` or `confirmed` for a record; the newest block of each stage.

Holds: stages never go back but for a reorganisation of L1, which is counted.
Not here: reading L1 (`sequencer.l1`), Ethereum's block tags (`sequencer.rpc.eth`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sequencer import metrics

STAGES = ("received", "posted", "safe", "confirmed")


@dataclass(slots=True)
class Stage:
    """Up to where a stage has come: records before `records`, blocks up to `block`."""

    records: int = 0
    block: int = 0


class Finality:
    """Stages of all batches."""

    def __init__(self) -> None:
        # (record, newest block, t_first_ms) of batches that are not yet confirmed.
        self._open: deque[tuple[int, int, int]] = deque()
        self.posted = Stage()
        self.safe = Stage()
        self.confirmed = Stage()
        self._epochs: dict[int, int] = {}

    def sealed(self, record: int, last_block: int, t_first_ms: int) -> None:
        """A batch has ended."""
        self._open.append((record, last_block, t_first_ms))

    def reach(self, stage: Stage, records: int) -> None:
        """All records before `records` have reached a stage."""
        if records <= stage.records:
            return
        stage.records = records
        for record, last_block, _ in self._open:
            if record < records:
                stage.block = max(stage.block, last_block)
        self._publish()

    def epoch_sealed(self, epoch: int, records: int) -> None:
        """The records of an epoch are fixed."""
        self._epochs[epoch] = records

    def epoch_confirmed(self, epoch: int) -> None:
        """An epoch is final."""
        records = self._epochs.pop(epoch, None)
        if records is not None:
            self.reach(self.confirmed, records)
            while self._open and self._open[0][0] < min(records, self.safe.records):
                self._open.popleft()

    def oldest_unposted_ms(self) -> int | None:
        """First time of the oldest batch that is not on L1."""
        for record, _, t_first_ms in self._open:
            if record >= self.posted.records:
                return t_first_ms
        return None

    def stage_of(self, record: int) -> str:
        """Label of a record; -1 = not yet in a batch."""
        if record < 0:
            return "received"
        if record < self.confirmed.records:
            return "confirmed"
        if record < self.safe.records:
            return "safe"
        return "posted" if record < self.posted.records else "received"

    def _publish(self) -> None:
        for name in ("posted", "safe", "confirmed"):
            metrics.BLOCK_HEAD.labels(name).set(getattr(self, name).block)
