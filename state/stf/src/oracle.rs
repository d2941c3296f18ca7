//! Prices: reports of named reporters, their median, and the mark (trading.md 4.1, 4.3, 4.4).
//!
//! In: signed reports, and the time of a tick. Out: `ReportRecord`s; a market's index, mark and
//! freshness.
//! Holds: only reports younger than `max_age_ms` count, and only if more than two thirds of the
//! reporters gave one.
//! Not here: when ticks run (`machine`).

use crate::book;
use crate::eip712::report_digest;
use crate::error::{Fault, Reject, Stop};
use crate::math::price_share_floor;
use crate::platform::Platform;
use crate::records::{Chain, Market, ReportRecord, Reporter};
use crate::store::Store;
use crate::types::{Address, Report, Signer};

/// Feeds: depth of the reports' tree less the reporters' (docs/formats.md §1).
pub(crate) const FEEDS: u32 = 1 << 12;
/// Reporters.
pub(crate) const REPORTERS: u8 = 32;

/// Takes a report as its reporter's newest; the reporter's number.
pub(crate) fn accept<S: Store, P: Platform>(
    store: &mut S,
    platform: &mut P,
    report: &Report,
    signer: Signer,
    (chain_id, inbox, now_ms): (u64, &Address, u64),
) -> Result<u8, Stop> {
    if report.feed >= FEEDS {
        return Err(Reject::FeedUnknown.into());
    }
    if report.price_e9 == 0 {
        return Err(Reject::PriceZero.into());
    }
    if report.time_ms > now_ms {
        return Err(Reject::ReportFromFuture.into());
    }
    let signer = match signer {
        Signer::Known(address) => Some(address),
        Signer::Invalid => None,
        Signer::Unknown => {
            let digest = report_digest(report, chain_id, inbox, platform);
            platform.recover(&digest, &report.signature)
        }
    };
    let address = signer.ok_or(Reject::SignatureInvalid)?;
    let reporter = reporter_of(store, &address)?.ok_or(Reject::ReporterUnknown)?;
    let record = store.write::<ReportRecord>(report_index(report.feed, reporter))?;
    if report.time_ms <= record.time_ms {
        return Err(Reject::ReportOlder.into());
    }
    *record = ReportRecord { price_e9: report.price_e9, time_ms: report.time_ms };
    Ok(reporter)
}

/// The number of the reporter with this address.
pub(crate) fn reporter_of<S: Store>(store: &mut S, address: &Address) -> Result<Option<u8>, Fault> {
    for reporter in 0..reporter_slots(store)? {
        if store.read::<Reporter>(reporter.into())?.address == *address {
            return Ok(Some(reporter));
        }
    }
    Ok(None)
}

/// Renews a market's index and mark at a tick.
pub(crate) fn tick_market<S: Store>(store: &mut S, market: u32, now_ms: u64) -> Result<(), Fault> {
    let record = *store.read::<Market>(market.into())?;
    let Some(index_e9) = index(store, record.feed, now_ms)? else {
        store.write::<Market>(market.into())?.fresh = false;
        return Ok(());
    };
    let bid = book::best(store, market, true)?;
    let ask = book::best(store, market, false)?;
    let mark_e9 = mark(&record, index_e9, bid, ask);
    let record = store.write::<Market>(market.into())?;
    (record.index_e9, record.mark_e9) = (index_e9, mark_e9);
    (record.index_time_ms, record.fresh) = (now_ms, true);
    Ok(())
}

/// Median of the fresh reports, None without a quorum.
fn index<S: Store>(store: &mut S, feed: u32, now_ms: u64) -> Result<Option<u64>, Fault> {
    let oldest_ms = now_ms.saturating_sub(store.read::<Chain>(0)?.max_age_ms);
    let mut prices = [0; REPORTERS as usize];
    let (mut reporters, mut fresh) = (0, 0);
    let mut places = prices.iter_mut();
    for reporter in 0..reporter_slots(store)? {
        if store.read::<Reporter>(reporter.into())?.address == Address::default() {
            continue;
        }
        reporters += 1;
        let report = *store.read::<ReportRecord>(report_index(feed, reporter))?;
        if report.time_ms >= oldest_ms
            && report.time_ms != 0
            && let Some(place) = places.next()
        {
            *place = report.price_e9;
            fresh += 1;
        }
    }
    let quorum = fresh * 3 > reporters * 2;
    Ok(if quorum { Some(median(&prices.iter().take(fresh))) } else { None })
}

/// Median; for an even count the floor of the mean of the two in the middle.
fn median<'a>(prices: &(impl Iterator<Item = &'a u64> + Clone)) -> u64 {
    let count = prices.clone().count();
    let low = u128::from(nth(prices, count.saturating_sub(1) / 2));
    let high = u128::from(nth(prices, count / 2));
    u64::try_from(u128::midpoint(low, high)).unwrap_or(u64::MAX)
}

/// The price at `place` once sorted, by counting: there are at most 32.
fn nth<'a>(prices: &(impl Iterator<Item = &'a u64> + Clone), place: usize) -> u64 {
    let is_there = |price: &&u64| {
        let below = prices.clone().filter(|other| other < price).count();
        let up_to = prices.clone().filter(|other| other <= price).count();
        below <= place && place < up_to
    };
    prices.clone().find(is_there).copied().unwrap_or(0)
}

/// Median of index, best bid and best ask, within index ± `mark_cap`; the index if a side is
/// missing.
fn mark(market: &Market, index_e9: u64, bid: Option<u32>, ask: Option<u32>) -> u64 {
    let (Some(bid), Some(ask)) = (bid, ask) else { return index_e9 };
    let price = |tick: u32| u64::from(tick).saturating_mul(market.tick_e9);
    let cap = price_share_floor(index_e9, market.mark_cap_ppm);
    // The book is uncrossed, so the median is the index moved into [bid, ask].
    let inside = index_e9.max(price(bid)).min(price(ask));
    inside.max(index_e9.saturating_sub(cap)).min(index_e9.saturating_add(cap))
}

fn report_index(feed: u32, reporter: u8) -> u64 {
    u64::from(feed) * u64::from(REPORTERS) + u64::from(reporter)
}

fn reporter_slots<S: Store>(store: &mut S) -> Result<u8, Fault> {
    let count = store.read::<Chain>(0)?.reporter_count;
    Ok(u8::try_from(count).unwrap_or(REPORTERS).min(REPORTERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Software;
    use crate::ram::RamStore;
    use crate::types::E9;

    const NOW: u64 = 100_000;

    fn store(reporters: u8) -> RamStore {
        let mut store = RamStore::new();
        let chain = store.write::<Chain>(0).unwrap();
        (chain.reporter_count, chain.max_age_ms) = (reporters.into(), 30_000);
        for reporter in 0..reporters {
            let address = Address([reporter + 1; 20]);
            store.write::<Reporter>(reporter.into()).unwrap().address = address;
        }
        store
    }

    fn send(store: &mut RamStore, reporter: u8, price_e9: u64, time_ms: u64) -> Result<u8, Stop> {
        let report = Report { feed: 3, price_e9, time_ms, signature: [0; 64] };
        let signer = Signer::Known(Address([reporter + 1; 20]));
        accept(store, &mut Software, &report, signer, (1, &Address::default(), NOW))
    }

    #[test]
    fn the_index_is_the_median_and_the_floor_of_the_mean_for_an_even_count() {
        let mut store = store(4);
        for (reporter, price) in [(0, 40), (1, 10), (2, 20)] {
            assert_eq!(send(&mut store, reporter, price, NOW), Ok(reporter));
        }
        assert_eq!(index(&mut store, 3, NOW), Ok(Some(20)));
        send(&mut store, 3, 25, NOW).unwrap();
        assert_eq!(index(&mut store, 3, NOW), Ok(Some(22)));
        assert_eq!(index(&mut store, 4, NOW), Ok(None));
    }

    #[test]
    fn two_thirds_of_the_reporters_are_no_quorum() {
        let mut store = store(3);
        send(&mut store, 0, 10, NOW).unwrap();
        send(&mut store, 1, 10, NOW).unwrap();
        assert_eq!(index(&mut store, 3, NOW), Ok(None));
        // A removed reporter is not waited for.
        *store.write::<Reporter>(2).unwrap() = Reporter::default();
        assert_eq!(index(&mut store, 3, NOW), Ok(Some(10)));
    }

    #[test]
    fn reports_stop_counting_when_they_are_too_old() {
        let mut store = store(1);
        send(&mut store, 0, 10, NOW).unwrap();
        assert_eq!(index(&mut store, 3, NOW + 30_000), Ok(Some(10)));
        assert_eq!(index(&mut store, 3, NOW + 30_001), Ok(None));
        store.write::<Market>(0).unwrap().feed = 3;
        tick_market(&mut store, 0, NOW).unwrap();
        tick_market(&mut store, 0, NOW + 30_001).unwrap();
        let market = store.read::<Market>(0).unwrap();
        assert_eq!((market.fresh, market.mark_e9, market.index_time_ms), (false, 10, NOW));
    }

    #[test]
    fn a_report_that_is_old_future_foreign_or_empty_is_refused() {
        let mut store = store(1);
        send(&mut store, 0, 10, 500).unwrap();
        let refused = |result, reason: Reject| assert_eq!(result, Err(Stop::Reject(reason)));
        refused(send(&mut store, 0, 10, 500), Reject::ReportOlder);
        refused(send(&mut store, 0, 10, NOW + 1), Reject::ReportFromFuture);
        refused(send(&mut store, 1, 10, NOW), Reject::ReporterUnknown);
        refused(send(&mut store, 0, 0, NOW), Reject::PriceZero);
        let report = Report { feed: FEEDS, price_e9: 1, time_ms: 1, signature: [0; 64] };
        let context = (1, &Address::default(), NOW);
        let result = accept(&mut store, &mut Software, &report, Signer::Invalid, context);
        refused(result, Reject::FeedUnknown);
        let report = Report { feed: 0, ..report };
        let result = accept(&mut store, &mut Software, &report, Signer::Invalid, context);
        refused(result, Reject::SignatureInvalid);
    }

    #[test]
    fn the_mark_follows_the_book_only_within_its_cap() {
        let market = Market { tick_e9: E9, mark_cap_ppm: 10_000, ..Market::default() };
        let at = |bid, ask| mark(&market, 1_000 * E9, bid, ask);
        assert_eq!(at(Some(990), Some(1_010)), 1_000 * E9);
        assert_eq!(at(Some(1_003), Some(1_010)), 1_003 * E9);
        assert_eq!(at(Some(900), Some(995)), 995 * E9);
        assert_eq!(at(Some(1_100), Some(1_200)), 1_010 * E9);
        assert_eq!(at(Some(800), Some(900)), 990 * E9);
        assert_eq!(at(None, Some(900)), 1_000 * E9);
    }
}
