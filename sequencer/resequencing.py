"""
Resequencing: gives the inputs of displaced batches a new place.

In:  what the journal says was displaced; admission, as for anybody's inputs.
Out: the same inputs in new blocks, in their order; a receipt `reorged` for each that is not valid
     any more.

Every input is admitted again: its nonce, its signer's account, a report's time. So doing it twice,
after a crash, changes nothing: what is in a block already is found there.

Holds: direct inputs are drained again before the inputs that came after them.
Not here: what was displaced (`sequencer.displacement`), the phase of the node (`sequencer.app`).
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

from sequencer import displacement, logs
from sequencer.admission import Admission
from sequencer.chain import stored
from sequencer.core import Core
from sequencer.displacement import Displaced, Pending
from sequencer.entries import Item
from sequencer.execution import raw_of
from sequencer.journal import LocalJournal
from sequencer.ordering import Ordering
from sequencer.rpc.errors import Refused
from state._native import Refusal, VerifiedTx
from state.errors import ReorgedError
from state.receipt import InputKind, Receipt, encode_receipt
from state.store import Store

POLL_S = 0.01
log = logs.get("resequencing")


@dataclass(slots=True)
class Resequencing:
    """One run of it; make a new one after each reorganisation."""

    journal: LocalJournal
    store: Store
    core: Core
    ordering: Ordering
    admission: Admission

    async def run(self, todo: Pending) -> None:
        """Bring all of it back; the store forgets the reorganisation at the end."""
        log.warning("resequencing.started", record=todo.reorg.record, entry=todo.seq)
        rows = displacement.displaced(self.journal, todo)
        count = dropped = 0
        try:
            while part := await asyncio.to_thread(lambda: list(itertools.islice(rows, 1))):
                dropped += await self._bring_back(part[0])
                count += len(part[0].items)
                log.info("resequencing.progress", inputs=count, dropped=dropped)
        finally:
            self.ordering.limit_directs(None)
            self.admission.wake()
        await asyncio.to_thread(self.store.put_meta, displacement.PENDING, b"")
        log.warning("resequencing.done", inputs=count, dropped=dropped)

    async def _bring_back(self, part: Displaced) -> int:
        """Bring back inputs that follow each other; how many cannot come back."""
        self.ordering.limit_directs(part.direct_to)
        self.admission.wake()
        # What L1 does not have any more cannot be waited for.
        while self.core.engine.direct_cursor < min(part.direct_to, self.ordering.next_direct):
            await asyncio.sleep(POLL_S)
        if not part.items:
            return 0
        results = await self.admission.readmit(part.items)
        refused = [
            (item, result)
            for item, result in zip(part.items, results, strict=True)
            if isinstance(result, Refused)
        ]
        return await asyncio.to_thread(self._drop, refused) if refused else 0

    def _drop(self, refused: list[tuple[Item, Refused]]) -> int:
        rows = []
        recovered = self.core.verifier.recover([item for item, _ in refused])
        for (item, why), verified in zip(refused, recovered, strict=True):
            if verified is None or isinstance(verified, Refusal):
                raise AssertionError("the journal has an input that was never valid")
            if self.core.chain.find(verified.hash) is not None:
                continue  # it runs, and says itself why it did nothing
            if isinstance(verified, VerifiedTx):
                kind, sender = InputKind.ENVELOPE, verified.sender
            else:
                kind, sender = InputKind.REPORT, verified.reporter
            receipt = Receipt(
                kind, False, ReorgedError.number, 0, 0, 0, verified.hash, sender, (), ()
            )
            rows.append((verified.hash, stored(encode_receipt(receipt), raw_of(item))))
            log.warning("input.reorged", hash="0x" + verified.hash.hex(), reason=why.reason)
        self.store.put_reorged(rows)
        return len(rows)
