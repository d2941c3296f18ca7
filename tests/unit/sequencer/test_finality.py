"""Stages of batches: they only go forward, and say what is not yet on L1."""

from __future__ import annotations

from sequencer.finality import Finality


def with_batches(count: int, first: int = 0) -> Finality:
    finality = Finality(first, first * 10)
    for record in range(first, first + count):
        finality.sealed(record, (record + 1) * 10, record * 1_000)
    return finality


def test_a_batch_goes_through_all_stages_in_order() -> None:
    finality = with_batches(3)
    assert [finality.stage_of(record) for record in (-1, 0, 2)] == ["received"] * 3

    finality.reach(finality.posted, 2)
    finality.reach(finality.safe, 1)
    assert [finality.stage_of(record) for record in range(3)] == ["safe", "posted", "received"]
    assert (finality.posted.block, finality.safe.block) == (20, 10)
    assert finality.oldest_unposted_ms() == 2_000

    finality.epoch_sealed(0, 1)
    finality.epoch_confirmed(0)
    finality.epoch_confirmed(7)
    assert [finality.stage_of(record) for record in range(3)] == ["confirmed", "posted", "received"]
    assert finality.confirmed.block == 10
    finality.reach(finality.posted, 3)
    assert finality.oldest_unposted_ms() is None


def test_a_stage_never_goes_back() -> None:
    finality = with_batches(5)
    finality.reach(finality.posted, 4)
    finality.reach(finality.posted, 2)

    assert (finality.posted.records, finality.posted.block) == (4, 40)


def test_a_restart_begins_behind_what_was_confirmed() -> None:
    finality = with_batches(2, first=100)

    assert finality.stage_of(99) == "confirmed"
    assert finality.oldest_unposted_ms() == 100_000
    finality.reach(finality.posted, 60)
    assert finality.oldest_unposted_ms() == 100_000
    finality.reach(finality.posted, 101)
    assert (finality.oldest_unposted_ms(), finality.posted.block) == (101_000, 1_010)
