"""The guest in a RISC-V machine and the same function in native code: one chunk, one root."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from state import _native
from state.guest import ELF
from tests.conftest import SEED
from tests.twins.riscv_unicorn import Ended, Machine, MachineFailedError
from tests.twins.world import CHAIN_ID, INBOX, Chunk, World


@dataclass(frozen=True)
class Recorded:
    """A chunk run natively, with its witness."""

    root: bytes
    weight: int
    context: bytes
    preimages: dict[tuple[int, bytes], bytes]


def record(chunk: Chunk) -> Recorded:
    root, weight, context, used = _native.record_chunk(
        chunk.rows, chunk.header, chunk.records, chunk.directs, CHAIN_ID, INBOX
    )
    return Recorded(root, weight, context, {(kind, key): data for kind, key, data in used})


def run_guest(recorded: Recorded) -> Ended:
    return Machine(ELF.read_bytes(), recorded.context, recorded.preimages).run()


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    world = World(SEED)
    print("seed", SEED)
    return [
        world.batch(blocks=1, envelopes=0),
        world.batch(blocks=2, envelopes=12),
        world.batch(blocks=2, envelopes=25),
    ]


@pytest.fixture(scope="module")
def recorded(chunks: list[Chunk]) -> list[Recorded]:
    return [record(chunk) for chunk in chunks]


def test_the_witness_leads_native_code_to_the_root_of_the_engine(
    chunks: list[Chunk], recorded: list[Recorded]
) -> None:
    assert [each.root for each in recorded] == [chunk.roots[0] for chunk in chunks]
    assert len(chunks[-1].roots) > 1, "the last batch is too heavy for one chunk"


def test_the_guest_ends_every_chunk_with_the_native_root(recorded: list[Recorded]) -> None:
    for each in recorded:
        ended = run_guest(each)
        assert ended.output == each.root
        print(f"weight {each.weight}, instructions {ended.instructions}")


def test_no_chunk_takes_more_instructions_than_its_steps_weigh(recorded: list[Recorded]) -> None:
    for each in recorded:
        assert run_guest(each).instructions <= each.weight


def test_a_witness_that_lacks_one_preimage_fails_the_machine(recorded: list[Recorded]) -> None:
    some = recorded[1]
    for dropped in list(some.preimages)[:: len(some.preimages) // 5]:
        rest = {key: data for key, data in some.preimages.items() if key != dropped}
        with pytest.raises(MachineFailedError, match="no preimage"):
            Machine(ELF.read_bytes(), some.context, rest).run()


def test_at_the_end_of_the_inputs_a_chunk_is_the_identity() -> None:
    world = World(SEED)
    chunk = world.batch(blocks=1, envelopes=3)
    header, rows = world.engine.header, list(world.rows.items())
    idle = record(Chunk(rows, header, chunk.records, chunk.directs, []))
    assert [idle.root] == chunk.roots
    assert run_guest(idle).output == idle.root
