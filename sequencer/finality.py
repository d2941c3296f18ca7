"""
Finality: how far each batch has come.

In:  batches sealed here, posted by `bridge.poster`, seen on L1 by `sequencer.l1`.
Out: `received`, `posted`, `safe` or `confirmed` for a record; the newest block of each stage.

Holds: stages never go back but for a reorganisation of L1, which is counted.
Not here: reading L1 (`sequencer.l1`), Ethereum's block tags (`sequencer.rpc.eth`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer import metrics

STAGES = ("received", "posted", "safe", "confirmed")


@dataclass(slots=True)
class Stage:
    """Up to where a stage has come: records before `records`, blocks up to `block`."""

    records: int = 0
    block: int = 0


@dataclass(slots=True)
class _Batch:
    """What is kept of a batch until it is confirmed."""

    last_block: int
    t_first_ms: int


class Finality:
    """
    Stages of all batches.

    Parameters
    ----------
    first :
        Batches before this one are confirmed, as an earlier run has seen.
    first_block :
        The last block of those.
    """

    def __init__(self, first: int = 0, first_block: int = 0) -> None:
        self._first = first
        self._batches: list[_Batch] = []
        self.posted = Stage(first, first_block)
        self.safe = Stage(first, first_block)
        self.confirmed = Stage(first, first_block)
        self._epochs: dict[int, int] = {}

    def sealed(self, record: int, last_block: int, t_first_ms: int) -> None:
        """A batch has ended; they come in order."""
        assert record == self._first + len(self._batches)
        self._batches.append(_Batch(last_block, t_first_ms))

    def reach(self, stage: Stage, records: int) -> None:
        """All records before `records` have reached a stage."""
        if records <= stage.records:
            return
        stage.records = records
        known = min(records - self._first, len(self._batches))
        if known > 0:
            stage.block = max(stage.block, self._batches[known - 1].last_block)
        self._publish()

    def posted_are(self, records: int) -> None:
        """L1 has the records before `records` now, be it fewer than once."""
        for stage in (self.posted, self.safe):
            if records < stage.records:
                stage.records = max(records, self.confirmed.records)
                at = stage.records - self._first
                stage.block = self._batches[at - 1].last_block if at > 0 else self.confirmed.block
        self.reach(self.posted, records)

    def epoch_sealed(self, epoch: int, records: int) -> None:
        """The records of an epoch are fixed."""
        self._epochs[epoch] = records

    def epoch_confirmed(self, epoch: int) -> None:
        """An epoch is final."""
        records = self._epochs.pop(epoch, None)
        if records is None:
            return
        self.reach(self.confirmed, records)
        done = min(records, self.safe.records) - self._first
        if done > 0:
            del self._batches[:done]
            self._first += done

    def oldest_unposted_ms(self) -> int | None:
        """First time of the oldest batch that is not on L1."""
        at = self.posted.records - self._first
        return self._batches[at].t_first_ms if 0 <= at < len(self._batches) else None

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
