"""
What steps weigh and what they cost: `python -m tests.twins.weights`.

In:    chunks of `tests.twins.world`, a guest built with call 64 after each step (needs rustc-web).
Out:   a table: per phase the number of steps, the largest cost in instructions, the weight's share.
Holds: a weight is an upper bound that knows sizes only; a share over 100 % breaks rollup.md 3.2.
Not here: the check of whole chunks, which needs no compiler (`test_guest.py`).
"""

from __future__ import annotations

import sys

from unicorn import Uc
from unicorn.riscv_const import UC_RISCV_REG_A0, UC_RISCV_REG_A1, UC_RISCV_REG_A7

from state import _native
from state.guest.build import build
from state.guest.image import write_elf
from tests.twins.riscv_unicorn import Machine
from tests.twins.world import CHAIN_ID, INBOX, World

MARK = 64
PHASES = "record block tick directs inputs operation match drain_tick drain_directs void".split()


class Measuring(Machine):
    """The machine, and what each step cost."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.steps: list[tuple[int, int, int]] = []
        self.last = 0

    def _call(self, uc: Uc) -> None:
        if uc.reg_read(UC_RISCV_REG_A7) != MARK:
            super()._call(uc)
            return
        phase, weight = uc.reg_read(UC_RISCV_REG_A0), uc.reg_read(UC_RISCV_REG_A1)
        self.steps.append((phase, weight, self.instructions - self.last))
        self.last = self.instructions


def main(seed: int) -> int:
    """Measure some chunks and print the table."""
    elf = write_elf(build("marks"))
    world = World(seed, users=40)
    chunks = [world.batch(blocks=1, envelopes=0)]
    chunks += [world.batch(blocks=3, envelopes=20) for _ in range(4)]
    steps: list[tuple[int, int, int]] = []
    hashing = []
    for chunk in chunks:
        _, weight, context, used = _native.record_chunk(
            chunk.rows, chunk.header, chunk.records, chunk.directs, CHAIN_ID, INBOX
        )
        machine = Measuring(elf, context, {(kind, key): data for kind, key, data in used})
        ended = machine.run()
        steps += machine.steps
        hashing.append((ended.instructions - machine.last, weight))
    print(f"seed {seed}, {len(steps)} steps")
    for phase, name in enumerate(PHASES):
        rows = [(cost, weight) for at, weight, cost in steps if at == phase]
        if rows:
            cost, weight = max(rows, key=lambda row: row[0] / row[1])
            total = sum(row[0] for row in rows) * 100 // sum(row[1] for row in rows)
            print(f"{name:14} {len(rows):5} steps, at most {cost:8} of {weight:8} ", end="")
            print(f"= {cost * 100 / weight:5.1f} %, all {total} %")
    for cost, weight in hashing:
        print(f"root at the end {cost:8} of {weight:8}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
