"""The guest in a RISC-V machine and the same function in native code: one chunk, one root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from state import _native
from state.batch import Block, encode_body, encode_segment
from state.guest import ELF
from state.l1_records import RecordKind, RecordMeta
from state.tx import DEFAULT_FEES, CancelAll, Envelope, Operation, Place, Replace
from tests.conftest import SEED
from tests.twins.riscv_unicorn import Ended, Machine, MachineFailedError
from tests.twins.world import CHAIN_ID, INBOX, Chunk, World

# Operations of envelope `number` that cost most for their bytes.
HEAVY: list[Callable[[int], list[Operation]]] = [
    lambda number: [Place(64 * number + each, True, 0, 0) for each in range(64)],
    lambda number: [Place((64 * number + each) * 7_919 % 11_521, True, 0, 0) for each in range(64)],
    lambda number: [Replace(each * 7 % 128, 0, 10**15, 10**15) for each in range(64)],
    lambda number: [Place(0, True, 0, 0) for _ in range(64)],
    lambda number: [CancelAll() for _ in range(64)],
]


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


@pytest.mark.parametrize("operations", HEAVY)
def test_decoding_the_worst_segment_costs_no_more_than_its_bytes_weigh(
    operations: Callable[[int], list[Operation]],
) -> None:
    """The block is out of its record's time: it is decoded, and nothing of it runs."""
    world = World(SEED)
    world.batch(blocks=1, envelopes=0)
    time_ms, directs = world.time_ms + 1, len(world.directs)
    envelopes = [
        Envelope(number + 1, 0, 0, True, tuple(operations(number)), DEFAULT_FEES, b"\1" * 64)
        for number in range(180)
    ]
    block = Block(time_ms + 1, directs, tuple(envelopes))
    data = encode_body([encode_segment(block, time_ms, directs)])
    meta = RecordMeta(RecordKind.BATCH, len(data), time_ms, time_ms, directs).encode()
    records = [*world.records, (meta, data)]
    each = record(Chunk(list(world.rows.items()), world.engine.header, records, world.directs, []))
    ended = run_guest(each)
    assert ended.output == each.root
    print(f"{len(data)} bytes, weight {each.weight}, instructions {ended.instructions}")
    assert ended.instructions <= each.weight


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
