"""The native core call by call: verification, admission, limits, views, proofs, faults."""

import random
import threading
from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from state import _native as native
from state._native import (
    Engine,
    RecordOutcome,
    Refusal,
    VerifiedReport,
    VerifiedTx,
    commitment,
    receipts_path,
    receipts_root,
    verify_envelopes,
    verify_reports,
    withdrawal_proof,
)
from state.batch import decode_body, encode_body
from state.errors import by_number
from state.l1_records import (
    DirectKind,
    RecordKind,
    RecordMeta,
    Withdrawal,
    commitment_root,
    withdrawal_leaf,
)
from state.receipt import OrderPlaced, Trade, Withdrawn, decode_receipt
from state.tx import Place, Withdraw, sign_transaction
from state.types import (
    ChainView,
    Kind,
    MarketView,
    OrderView,
    PositionView,
    SubaccountView,
    Totals,
)
from tests.law.native_traffic import (
    CHAIN_ID,
    E9,
    GOVERNOR,
    INBOX,
    PRICES_E9,
    TICK_MS,
    TICKS_E9,
    TOKEN,
    VAULT,
    Traffic,
    key_of,
)


@pytest.fixture
def traffic(rng: random.Random) -> Traffic:
    return Traffic(rng)


@pytest.fixture
def engine(traffic: Traffic) -> Engine:
    """An engine with markets, prices and funded accounts, and an open block."""
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    engine.open_block(traffic.time_ms, traffic.directs, [])
    return engine


def verified(raw: bytes) -> VerifiedTx:
    (tx,) = verify_envelopes([raw], CHAIN_ID)
    assert isinstance(tx, VerifiedTx)
    return tx


def place(*, buy: bool, price_e9: int, qty_e9: int = E9, client_id: int = 0) -> Place:
    return Place(0, buy, price_e9, qty_e9, client_id=client_id)


def climb(leaf: bytes, index: int, path: list[bytes]) -> bytes:
    node = leaf
    for height, sibling in enumerate(path):
        node = keccak(sibling + node if index >> height & 1 else node + sibling)
    return node


# --- verification ---


def test_verified_envelopes_name_their_sender_hash_and_content(traffic: Traffic) -> None:
    raw = traffic.envelope([place(buy=True, price_e9=E9)] * 3, account=4)
    tx = verified(raw)
    assert (tx.hash, tx.raw, tx.sender) == (keccak(raw), raw, traffic.addresses[4])
    assert (tx.nonce, tx.subaccount, tx.operations) == (0, 0, 3)
    assert (tx.kind, tx.kinds) == ("place", ["place"] * 3)


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 7, 1_000])
def test_results_keep_the_order_of_the_inputs_on_any_number_of_threads(
    traffic: Traffic, threads: int
) -> None:
    raws = [traffic.envelope() if n % 5 else b"junk %d" % n for n in range(90)]
    results = verify_envelopes(raws, CHAIN_ID, threads)
    assert [result.hash for result in results] == [keccak(raw) for raw in raws]
    assert [isinstance(result, Refusal) for result in results] == [n % 5 == 0 for n in range(90)]


def test_refusals_name_the_reason(traffic: Traffic) -> None:
    good = traffic.envelope([place(buy=True, price_e9=E9)])
    other = sign_transaction(key_of(1), CHAIN_ID + 1, 0, 0, [place(buy=True, price_e9=E9)])
    for raw, slug in [(b"", "malformed"), (other, "wrong_chain_id"), (good[:-1], "malformed")]:
        (refusal,) = verify_envelopes([raw], CHAIN_ID)
        assert isinstance(refusal, Refusal)
        assert refusal.slug == slug
        assert by_number(refusal.reason).__name__.lower().startswith(slug.replace("_", ""))


def test_reports_are_recovered_and_a_changed_one_is_another_signers(traffic: Traffic) -> None:
    report = traffic.reports()[0]
    row = (report.feed, report.price_e9, report.time_ms, report.signature)
    changed = (report.feed, report.price_e9 + 1, report.time_ms, report.signature)
    same, other = verify_reports([row, changed], CHAIN_ID, INBOX)
    assert isinstance(same, VerifiedReport)
    assert same.hash == report.hash
    assert not isinstance(other, VerifiedReport) or other.reporter != report.reporter


# --- admission ---


def test_admission_counts_what_it_admitted_until_it_ran(engine: Engine, traffic: Traffic) -> None:
    txs = [verified(traffic.envelope([place(buy=True, price_e9=E9)], 3)) for _ in range(4)]
    assert engine.admit(txs[:2]) == [0, 0]
    assert engine.admit([txs[1], txs[3], txs[2]]) == [11, 12, 0]
    engine.forget_admitted()
    assert engine.admit(txs) == [0, 0, 0, 0]
    engine.execute(txs)
    assert engine.admit([txs[3]]) == [11]


def test_strangers_and_old_reports_are_not_admitted(engine: Engine, traffic: Traffic) -> None:
    stranger = sign_transaction(key_of(999), CHAIN_ID, 0, 0, [place(buy=True, price_e9=E9)])
    assert engine.admit([verified(stranger)]) == [10]
    fresh = traffic.reports()
    assert engine.admit(fresh) == [0] * len(fresh)
    engine.execute(fresh)
    assert engine.admit(fresh) == [201] * len(fresh)
    traffic.reporters = traffic.keys[:3]
    assert set(engine.admit(traffic.reports())) == {200}


def test_an_input_of_a_stranger_does_not_enter_a_block(engine: Engine) -> None:
    stranger = sign_transaction(key_of(999), CHAIN_ID, 0, 0, [place(buy=True, price_e9=E9)])
    header = engine.header
    with pytest.raises(ValueError, match="no account"):
        engine.execute([verified(stranger)])
    assert (engine.header, engine.block_inputs) == (header, 0)


# --- the order of calls ---


def test_calls_out_of_order_are_refused_and_change_nothing(
    engine: Engine, traffic: Traffic
) -> None:
    header = engine.header
    with pytest.raises(ValueError, match="block is open"):
        engine.open_block(traffic.time_ms, traffic.directs, [])
    with pytest.raises(ValueError, match="batch is open"):
        engine.apply_record(bytes(32), b"", [])
    with pytest.raises(TypeError):
        engine.execute([b"raw"])  # type: ignore[list-item]
    assert engine.header == header
    engine.close_block()
    header = engine.header
    with pytest.raises(ValueError, match="no block is open"):
        engine.execute([])
    with pytest.raises(ValueError, match="no block is open"):
        engine.close_block()
    with pytest.raises(ValueError, match="before the last"):
        engine.open_block(traffic.time_ms - 1, traffic.directs, [])
    with pytest.raises(ValueError, match="direct inputs"):
        engine.open_block(traffic.time_ms, traffic.directs + 1, [])
    with pytest.raises(ValueError, match="wrong length"):
        engine.open_block(traffic.time_ms, traffic.directs + 1, [b"short"])
    assert engine.header == header
    first = engine.seal_batch()
    assert first is not None
    assert engine.seal_batch() is None
    engine.open_block(traffic.time_ms + TICK_MS, traffic.directs, [])
    second = engine.seal_batch()
    assert second is not None
    with pytest.raises(ValueError, match="order of sealing"):
        engine.commit(second)
    with pytest.raises(ValueError, match="wait for commit"):
        engine.apply_record(bytes(32), b"", [])
    engine.commit(first)
    engine.commit(second)


def test_a_block_takes_256_inputs_and_no_more(engine: Engine, traffic: Traffic) -> None:
    txs = traffic.envelopes(257)
    assert engine.fits(txs) == 256
    with pytest.raises(ValueError, match="256 of 257"):
        engine.execute(txs)
    assert engine.block_inputs == 0
    engine.execute(txs[:256])
    assert (engine.fits(txs[256:]), engine.block_inputs) == (0, 256)


def test_records_that_do_not_belong_together_are_refused() -> None:
    engine = Engine(CHAIN_ID, INBOX)
    meta = RecordMeta(RecordKind.BATCH, 3, 1, 2, 0).encode()
    with pytest.raises(ValueError, match="meta word"):
        engine.apply_record(b"\x09" + bytes(31), b"", [])
    with pytest.raises(ValueError, match="2 bytes, meta says 3"):
        engine.apply_record(meta, b"ab", [])
    with pytest.raises(ValueError, match="direct_to 5"):
        engine.apply_record(RecordMeta(RecordKind.BATCH, 3, 1, 2, 5).encode(), b"abc", [])


def test_a_batch_of_random_bytes_is_empty_and_time_goes_on(rng: random.Random) -> None:
    engine = Engine(CHAIN_ID, INBOX)
    for record in range(50):
        data = rng.randbytes(rng.randrange(1, 300))
        meta = RecordMeta(RecordKind.BATCH, len(data), record, record + 7, 0).encode()
        outcome = engine.apply_record(meta, data, [])
        assert outcome.bad is not None
        assert (outcome.inputs, engine.time_ms, engine.record_cursor) == (0, record + 7, record + 1)


def test_a_bad_segment_ends_the_batch_and_keeps_what_ran(traffic: Traffic) -> None:
    engine = Engine(CHAIN_ID, INBOX)
    traffic.start(engine)
    engine.open_block(traffic.time_ms, traffic.directs, [])
    engine.execute(traffic.envelopes(20))
    sealed = engine.seal_batch()
    assert sealed is not None
    first, second = decode_body(sealed.data)
    meta = RecordMeta.decode(sealed.meta)

    def outcome_of(data: bytes) -> RecordOutcome:
        changed = replace(meta, size_bytes=len(data)).encode()
        return Engine(CHAIN_ID, INBOX).apply_record(changed, data, traffic.packed)

    whole, half = outcome_of(sealed.data), outcome_of(encode_body([first, second[:-1]]))
    assert (whole.bad, half.bad) == (None, "bad segment 1")
    assert (whole.blocks, half.blocks) == (2, 1)
    assert half.receipts == whole.receipts[:-20]
    late = outcome_of(encode_body([second, first]))
    assert late.bad == "segment 1 has a wrong time or direct_to"
    empty = outcome_of(sealed.data[:-1])
    assert (empty.bad, empty.blocks, empty.inputs) == ("bad directory", 0, len(traffic.packed))


# --- views ---


def test_orders_and_trades_show_in_every_view(engine: Engine, traffic: Traffic) -> None:
    price_e9 = PRICES_E9[0] - 100 * TICKS_E9[0]
    maker, taker = traffic.addresses[0], traffic.addresses[1]
    raws = [
        sign_transaction(
            key_of(0),
            CHAIN_ID,
            0,
            0,
            [
                place(buy=True, price_e9=price_e9, qty_e9=2 * E9, client_id=9),
                place(buy=True, price_e9=price_e9 - TICKS_E9[0]),
                place(buy=False, price_e9=PRICES_E9[0] * 11 // 10),
            ],
        ),
        sign_transaction(key_of(1), CHAIN_ID, 0, 0, [place(buy=False, price_e9=price_e9)]),
    ]
    done = engine.execute([verified(raw) for raw in raws])
    receipts = [decode_receipt(receipt) for receipt in done.receipts]
    assert [receipt.sender for receipt in receipts] == [maker, taker]
    assert [type(event) for _, event in receipts[0].events] == [OrderPlaced] * 3
    (trade,) = [event for _, event in receipts[1].events if isinstance(event, Trade)]
    assert (trade.maker, trade.taker, trade.price_e9, trade.qty_e9) == (
        maker,
        taker,
        price_e9,
        E9,
    )
    stats = done.stats()
    assert (stats["operations"], stats["trades"], stats["rejected"]) == (4, 1, 0)
    bids, asks = engine.book(0, 10)
    assert bids == [(price_e9, E9), (price_e9 - TICKS_E9[0], E9)]
    assert asks == [(PRICES_E9[0] * 11 // 10, E9)]
    assert engine.book(0, 1) == (bids[:1], asks[:1])
    market = engine.market_view(0)
    assert market is not None
    assert (market["name"], market["fresh"], market["trades"]) == ("BTC-PERPETUAL", True, 1)
    assert (market["best_bid_e9"], market["best_bid_qty_e9"]) == bids[0]
    assert (market["best_ask_e9"], market["best_ask_qty_e9"]) == asks[0]
    assert (market["last_e9"], market["open_interest_e9"]) == (price_e9, E9)
    orders = engine.open_orders(maker, 0)
    assert [(order["price_e9"], order["open_e9"]) for order in orders] == [*bids, *asks]
    assert (orders[0]["client_id"], orders[0]["placed_e9"]) == (9, 2 * E9)
    long, short = engine.subaccount_view(maker, 0), engine.subaccount_view(taker, 0)
    assert long is not None
    assert short is not None
    assert [view["positions"][0]["size_e9"] for view in (long, short)] == [E9, -E9]
    assert long["open_orders"] == 3
    assert 0 < long["mm_e9"] < long["im_e9"] < long["equity_e9"]
    assert long["free_e9"] <= long["equity_e9"] - long["im_e9"]
    assert long["equity_e9"] == long["balance_e9"] + long["positions"][0]["value_e9"]


def test_views_have_the_keys_of_their_types(engine: Engine, traffic: Traffic) -> None:
    engine.execute(traffic.envelopes(100))
    account = next(a for a in traffic.addresses if engine.open_orders(a, 0))
    view = engine.subaccount_view(account, 0)
    assert view is not None
    assert set(view) == set(SubaccountView.__annotations__)
    assert set(view["positions"][0]) == set(PositionView.__annotations__)
    assert set(engine.open_orders(account, 0)[0]) == set(OrderView.__annotations__)
    assert set(engine.market_view(0) or {}) == set(MarketView.__annotations__)
    assert set(engine.chain_view()) == set(ChainView.__annotations__)
    assert set(engine.totals()) == set(Totals.__annotations__)


def test_what_is_not_there_is_none_or_empty(engine: Engine, traffic: Traffic) -> None:
    stranger = b"\xee" * 20
    assert engine.account_index(stranger) == 0
    assert engine.subaccount_view(stranger, 0) is None
    assert engine.subaccount_view(traffic.addresses[0], 15) is None
    assert engine.subaccount_view(traffic.addresses[0], 16) is None
    assert engine.subaccount_view(traffic.addresses[0], 2**64 - 1) is None
    assert engine.open_orders(stranger, 0) == []
    assert engine.market_view(2) is None
    assert engine.market_view(2**32 - 1) is None
    assert engine.record(Kind.ORDER, 7) == b""
    for market in (2, 2**32 - 1):
        with pytest.raises(ValueError, match="no market"):
            engine.book(market, 5)
    for kind, index in [(14, 0), (0, 1)]:
        with pytest.raises(ValueError, match="no record"):
            engine.record(kind, index)


def test_accounts_are_found_by_address(engine: Engine, traffic: Traffic) -> None:
    found = [engine.account_index(address) for address in traffic.addresses]
    assert found == list(range(1, len(found) + 1))
    assert engine.chain_view()["account_count"] == len(found)
    assert engine.record(Kind.ACCOUNT, 1)[:20] == traffic.addresses[0]


# --- proofs ---


def test_a_withdrawal_is_proven_against_the_root_in_the_header(
    engine: Engine, traffic: Traffic
) -> None:
    leaves: list[bytes] = []
    for number in range(5):
        recipient = bytes([number]) * 20
        operations = [Withdraw(TOKEN, 1_000 + number, recipient)] * (number + 1)
        done = engine.execute([verified(traffic.envelope(operations, account=number))])
        leaves += done.withdrawals
    assert engine.withdrawals_count == len(leaves) == len(set(leaves))
    assert leaves[0] == withdrawal_leaf(
        Withdrawal(0, CHAIN_ID, VAULT, traffic.addresses[0], TOKEN, 1_000, bytes(20))
    )
    for index, leaf in enumerate(leaves):
        assert climb(leaf, index, withdrawal_proof(leaves, index)) == engine.withdrawals_root
    with pytest.raises(ValueError, match="not among"):
        withdrawal_proof(leaves, len(leaves))


def test_a_forced_withdrawal_gives_the_same_leaf_as_its_event(
    engine: Engine, traffic: Traffic
) -> None:
    engine.close_block()
    data = bytes(4) + TOKEN + (77).to_bytes(16)
    direct = traffic.direct(DirectKind.WITHDRAW, traffic.addresses[2], data)
    done = engine.open_block(traffic.time_ms, traffic.directs, [direct])
    ((_, event),) = decode_receipt(done.receipts[0]).events
    assert isinstance(event, Withdrawn)
    assert done.withdrawals == [
        withdrawal_leaf(
            Withdrawal(
                event.index,
                CHAIN_ID,
                VAULT,
                event.owner,
                event.token,
                event.amount,
                event.recipient,
            )
        )
    ]


def test_withdrawals_around_a_change_of_vault_are_each_proven_for_their_own(
    engine: Engine, traffic: Traffic
) -> None:
    """Live, and again from the record on L1, where one run holds all of it."""
    engine.close_block()
    data = bytes(4) + TOKEN + (77).to_bytes(16)
    change = b"\x02" + TOKEN + b"\x66" * 20 + (1_000).to_bytes(8)
    directs = [
        traffic.direct(DirectKind.WITHDRAW, traffic.addresses[1], data),
        traffic.direct(DirectKind.GOVERN, GOVERNOR, change),
        traffic.direct(DirectKind.WITHDRAW, traffic.addresses[2], data),
        traffic.direct(DirectKind.GOVERN, GOVERNOR, change[:21] + b"\x77" * 20 + change[41:]),
        traffic.direct(DirectKind.WITHDRAW, traffic.addresses[3], data),
    ]
    leaves = engine.open_block(traffic.time_ms, traffic.directs, directs).withdrawals
    assert leaves == [
        withdrawal_leaf(Withdrawal(n, CHAIN_ID, vault, owner, TOKEN, 77, owner))
        for n, (vault, owner) in enumerate(
            zip([VAULT, b"\x66" * 20, b"\x77" * 20], traffic.addresses[1:4], strict=True)
        )
    ]
    for index, leaf in enumerate(leaves):
        assert climb(leaf, index, withdrawal_proof(leaves, index)) == engine.withdrawals_root
    sealed = engine.seal_batch()
    assert sealed is not None
    outcome = Engine(CHAIN_ID, INBOX).apply_record(sealed.meta, sealed.data, traffic.packed)
    assert outcome.withdrawals == leaves


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64, 100])
def test_commitments_repeat_the_last_root_and_prove_the_last_leaf(
    count: int, rng: random.Random
) -> None:
    roots = [rng.randbytes(32) for _ in range(count)]
    root, path = commitment(roots)
    assert root == commitment_root(roots)
    assert climb(roots[-1], 2**21 - 1, path) == root
    assert len(path) == 21


def test_an_epoch_without_chunk_roots_has_no_commitment() -> None:
    with pytest.raises(ValueError, match="at least one"):
        commitment([])


@pytest.mark.parametrize("count", [1, 2, 3, 8, 33])
def test_every_receipt_of_a_group_is_proven(count: int, rng: random.Random) -> None:
    receipts = [rng.randbytes(rng.randrange(80, 400)) for _ in range(count)]
    root = receipts_root(receipts)
    for index, receipt in enumerate(receipts):
        path = receipts_path(receipts, index)
        assert climb(keccak(receipt), index, path) == root
    with pytest.raises(ValueError, match="no receipt"):
        receipts_path(receipts, count)


def test_keccak256_is_that_of_ethereum(rng: random.Random) -> None:
    for size in range(300):
        data = rng.randbytes(size)
        assert native.keccak256(data) == keccak(data)


# --- threads and faults ---


def test_reads_and_commits_run_beside_execution(engine: Engine, traffic: Traffic) -> None:
    first = engine.seal_batch()
    assert first is not None
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            view = engine.market_view(0)
            assert view is not None
            seen.append(view["trades"])

    reader = threading.Thread(target=read)
    committer = threading.Thread(target=engine.commit, args=(first,))
    reader.start()
    committer.start()
    for _ in range(5):
        traffic.time_ms += TICK_MS
        engine.open_block(traffic.time_ms, traffic.directs, [])
        engine.execute(traffic.envelopes(100))
        engine.close_block()
    stop.set()
    reader.join()
    committer.join()
    assert seen == sorted(seen)
    second = engine.seal_batch()
    assert second is not None
    root, header = engine.commit(second)
    assert native.header_root(header) == root


def test_a_fault_stops_the_engine_for_good(engine: Engine, traffic: Traffic) -> None:
    """An address tree that leads to itself is a state that no lawful run meets."""
    node = 4_000_001
    link = (2 * node + 1).to_bytes(8, "little")
    chain = bytearray(engine.record(Kind.CHAIN, 0))
    chain[4:8] = link[:4]
    rows = [
        (Kind.CHAIN.to_bytes(2) + bytes(8), bytes(chain)),
        (Kind.ADDRESS_NODE.to_bytes(2) + node.to_bytes(8), bytes(8) + link + link + bytes(8)),
    ]
    engine.load_records(rows)
    with pytest.raises(native.Fault, match="Corrupt"):
        engine.account_index(traffic.addresses[0])
    with pytest.raises(native.Fault, match="has stopped"):
        engine.market_view(0)


def test_who_waits_for_the_engine_while_it_faults_does_not_get_in(traffic: Traffic) -> None:
    """A long call faults at its end, while others wait for the lock that it holds."""
    reports = traffic.reports()
    last = verify_envelopes([traffic.envelope()], CHAIN_ID)
    for _ in range(3):
        engine = Engine(CHAIN_ID, INBOX)
        chain, node = Kind.CHAIN.to_bytes(2) + bytes(8), Kind.ADDRESS_NODE.to_bytes(2) + bytes(7)
        link = (3).to_bytes(8, "little")
        engine.load_records(
            [
                (chain, bytes(4) + link[:4] + bytes(248)),
                (node + b"\1", bytes(8) + link * 2 + bytes(8)),
            ]
        )
        faults: list[str] = []

        def call(*, engine: Engine = engine, faults: list[str] = faults) -> None:
            with pytest.raises(native.Fault) as raised:
                engine.admit([*reports[:1] * 100_000, *last])
            faults.append(str(raised.value))

        threads = [threading.Thread(target=call) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum("Corrupt" in fault for fault in faults) == 1, faults


def test_damaged_leaves_and_headers_are_refused() -> None:
    engine = Engine(CHAIN_ID, INBOX)
    for key, words in [
        (b"", b""),
        (bytes(9), bytes(256)),
        (bytes(10), bytes(31)),
        (b"\xff" * 10, b""),
    ]:
        with pytest.raises(ValueError, match="is not a record"):
            engine.load_records([(key, words)])
    for header in (b"", bytes(255), b"\1\0\0\0\x0a" + bytes(251)):
        with pytest.raises(ValueError, match="header"):
            engine.load_header(header, 0, 1)
    with pytest.raises(ValueError, match="numbered from 1"):
        engine.load_header(engine.header, 0, 0)
    with pytest.raises(ValueError, match="256 bytes"):
        native.header_root(bytes(255))
