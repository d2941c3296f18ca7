//! The order book: queues of orders per price, and bitmaps that find the best price in three reads.
//!
//! In: orders by reference (subaccount·256 + slot). Out: `Order`, `Level` and `Ticks` records,
//! linked.
//! Holds: price-time priority (trading.md 3.5); a tick's bit is set iff its level holds an order of
//! that side.
//! Not here: whose orders they are and what they reserve (`ops::resting`).

use crate::error::{Fault, Reject, Stop};
use crate::records::{Level, Order, Ticks};
use crate::store::Store;

/// Prices of a market in ticks: 1 to this, less one.
pub(crate) const TICKS: u64 = 1 << 24;
/// Bitmap nodes of one side, as a shift (docs/formats.md §1).
const SIDE_SHIFT: u32 = 17;
const TOP: u64 = 1;
const MIDDLE: u64 = 256;
const BOTTOM: u64 = 65_536;

/// The best price of a side, in ticks.
pub(crate) fn best<S: Store>(store: &mut S, market: u32, buy: bool) -> Result<Option<u32>, Fault> {
    let base = side_base(market, buy);
    let Some(high) = outermost(store.read::<Ticks>(base + TOP)?, buy) else {
        return Ok(None);
    };
    let middle = store.read::<Ticks>(base + MIDDLE + u64::from(high))?;
    let middle = outermost(middle, buy).ok_or(Fault::Corrupt)?;
    let upper = high << 8 | middle;
    let bottom = store.read::<Ticks>(base + BOTTOM + u64::from(upper))?;
    let low = outermost(bottom, buy).ok_or(Fault::Corrupt)?;
    Ok(Some(upper << 8 | low))
}

/// The price that an order of side `buy` with this limit would trade at first, if any.
pub(crate) fn crossing<S: Store>(
    store: &mut S,
    market: u32,
    buy: bool,
    limit: u32,
) -> Result<Option<u32>, Fault> {
    let opposite = best(store, market, !buy)?;
    Ok(opposite.filter(|tick| if buy { *tick <= limit } else { *tick >= limit }))
}

/// The oldest order at a price.
pub(crate) fn head<S: Store>(store: &mut S, market: u32, tick: u32) -> Result<u64, Fault> {
    store.read::<Level>(level_index(market, tick))?.head.checked_sub(1).ok_or(Fault::Corrupt)
}

/// Puts an order at the end of its level's queue and writes it.
pub(crate) fn insert<S: Store>(store: &mut S, reference: u64, order: Order) -> Result<(), Stop> {
    let index = level_index(order.market, order.tick);
    let mut level = *store.read::<Level>(index)?;
    level.open_e9 = level.open_e9.checked_add(order.open_e9).ok_or(Reject::Overflow)?;
    level.count = level.count.checked_add(1).ok_or(Reject::Overflow)?;
    let link = reference + 1;
    *store.write::<Order>(reference)? = Order { previous: level.tail, next: 0, ..order };
    if level.tail == 0 {
        level.head = link;
        set_tick(store, order.market, order.buy, order.tick)?;
    } else {
        store.write::<Order>(level.tail - 1)?.next = link;
    }
    level.tail = link;
    *store.write::<Level>(index)? = level;
    Ok(())
}

/// Takes an order out of its queue, wherever it stands, and frees its record; what it was.
pub(crate) fn remove<S: Store>(store: &mut S, reference: u64) -> Result<Order, Fault> {
    let order = *store.read::<Order>(reference)?;
    let index = level_index(order.market, order.tick);
    let mut level = *store.read::<Level>(index)?;
    level.open_e9 = level.open_e9.checked_sub(order.open_e9).ok_or(Fault::Corrupt)?;
    level.count = level.count.checked_sub(1).ok_or(Fault::Corrupt)?;
    match order.previous.checked_sub(1) {
        None => level.head = order.next,
        Some(previous) => store.write::<Order>(previous)?.next = order.next,
    }
    match order.next.checked_sub(1) {
        None => level.tail = order.previous,
        Some(next) => store.write::<Order>(next)?.previous = order.previous,
    }
    if level.head == 0 {
        clear_tick(store, order.market, order.buy, order.tick)?;
    }
    *store.write::<Level>(index)? = level;
    *store.write::<Order>(reference)? = Order::default();
    Ok(order)
}

/// Takes a part, less than all, off an order that keeps its place.
pub(crate) fn shrink<S: Store>(store: &mut S, reference: u64, by_e9: u64) -> Result<(), Fault> {
    let order = store.write::<Order>(reference)?;
    order.open_e9 = order.open_e9.checked_sub(by_e9).ok_or(Fault::Corrupt)?;
    let index = level_index(order.market, order.tick);
    let level = store.write::<Level>(index)?;
    level.open_e9 = level.open_e9.checked_sub(by_e9).ok_or(Fault::Corrupt)?;
    Ok(())
}

/// Where the queue at a price is kept.
pub(crate) fn level_index(market: u32, tick: u32) -> u64 {
    u64::from(market) << 24 | u64::from(tick)
}

fn side_base(market: u32, buy: bool) -> u64 {
    (u64::from(market) * 2 + u64::from(!buy)) << SIDE_SHIFT
}

/// The three bitmap nodes above a tick, lowest first, and the bit in each.
fn nodes(market: u32, buy: bool, tick: u32) -> [(u64, u32); 3] {
    let (base, wide) = (side_base(market, buy), u64::from(tick));
    [
        (base + BOTTOM + (wide >> 8), tick & 255),
        (base + MIDDLE + (wide >> 16), tick >> 8 & 255),
        (base + TOP, tick >> 16),
    ]
}

fn set_tick<S: Store>(store: &mut S, market: u32, buy: bool, tick: u32) -> Result<(), Fault> {
    for (index, bit) in nodes(market, buy, tick) {
        let ticks = store.write::<Ticks>(index)?;
        let was_empty = ticks.limbs == [0; 4];
        if let Some(limb) = ticks.limbs.get_mut(bit as usize / 64) {
            *limb |= 1 << (bit % 64);
        }
        if !was_empty {
            break;
        }
    }
    Ok(())
}

fn clear_tick<S: Store>(store: &mut S, market: u32, buy: bool, tick: u32) -> Result<(), Fault> {
    for (index, bit) in nodes(market, buy, tick) {
        let ticks = store.write::<Ticks>(index)?;
        if let Some(limb) = ticks.limbs.get_mut(bit as usize / 64) {
            *limb &= !(1 << (bit % 64));
        }
        if ticks.limbs != [0; 4] {
            break;
        }
    }
    Ok(())
}

/// The highest set bit for bids, the lowest for asks.
fn outermost(ticks: &Ticks, highest: bool) -> Option<u32> {
    let mut limbs = ticks.limbs.iter().zip([0, 64, 128, 192]);
    if highest {
        let (limb, base) = limbs.rfind(|(limb, _)| **limb != 0)?;
        Some(base + 63 - limb.leading_zeros())
    } else {
        let (limb, base) = limbs.find(|(limb, _)| **limb != 0)?;
        Some(base + limb.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::RamStore;
    use crate::testing::Random;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn order(buy: bool, tick: u32, open_e9: u64) -> Order {
        Order { order_id: 1, open_e9, placed_e9: open_e9, tick, buy, ..Order::default() }
    }

    #[test]
    fn the_best_price_is_the_highest_bid_and_the_lowest_ask() {
        let mut store = RamStore::default();
        let ticks = [5, 300, 70_000, 16_777_215, 1];
        for (place, tick) in ticks.iter().enumerate() {
            insert(&mut store, place as u64, order(true, *tick, 1)).unwrap();
        }
        assert_eq!(best(&mut store, 0, true), Ok(Some(16_777_215)));
        assert_eq!(best(&mut store, 0, false), Ok(None));
        for (reference, after) in [(3, Some(70_000)), (2, Some(300)), (1, Some(5)), (0, Some(1))] {
            remove(&mut store, reference).unwrap();
            assert_eq!(best(&mut store, 0, true), Ok(after));
        }
        remove(&mut store, 4).unwrap();
        assert_eq!(best(&mut store, 0, true), Ok(None));
        assert_eq!(store.present().count(), 0);
    }

    #[test]
    fn only_a_price_at_or_through_the_other_side_crosses() {
        let mut store = RamStore::default();
        insert(&mut store, 1, order(false, 100, 1)).unwrap();
        assert_eq!(crossing(&mut store, 0, true, 99), Ok(None));
        assert_eq!(crossing(&mut store, 0, true, 100), Ok(Some(100)));
        assert_eq!(crossing(&mut store, 0, false, 1), Ok(None));
    }

    #[test]
    fn queues_keep_age_when_orders_leave_from_anywhere() {
        let (mut store, mut random) = (RamStore::default(), Random::new(11));
        let mut model: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for reference in 0..2_000_u64 {
            let tick = 1 + u32::try_from(random.below(40)).unwrap() * 400;
            insert(&mut store, reference, order(false, tick, 3)).unwrap();
            model.entry(tick).or_default().push(reference);
            if random.below(2) == 0 {
                let tick = *model.keys().next().unwrap();
                let queue = model.get_mut(&tick).unwrap();
                assert_eq!(head(&mut store, 0, tick), Ok(queue[0]));
                let place = usize::try_from(random.below(queue.len() as u64)).unwrap();
                remove(&mut store, queue.remove(place)).unwrap();
                if queue.is_empty() {
                    model.remove(&tick);
                }
            }
            assert_eq!(best(&mut store, 0, false), Ok(model.keys().next().copied()));
        }
        for (tick, queue) in model {
            for reference in queue {
                assert_eq!(head(&mut store, 0, tick), Ok(reference));
                remove(&mut store, reference).unwrap();
            }
        }
        assert_eq!(store.present().count(), 0);
    }

    #[test]
    fn a_level_that_would_overflow_refuses_the_order() {
        let mut store = RamStore::default();
        insert(&mut store, 1, order(false, 100, u64::MAX)).unwrap();
        let second = insert(&mut store, 2, order(false, 100, 1));
        assert_eq!(second, Err(Stop::Reject(Reject::Overflow)));
        assert!(remove(&mut store, 9).is_err());
    }

    #[test]
    fn shrinking_keeps_the_place_and_never_goes_below_zero() {
        let mut store = RamStore::default();
        insert(&mut store, 1, order(true, 100, 10)).unwrap();
        insert(&mut store, 2, order(true, 100, 10)).unwrap();
        shrink(&mut store, 1, 4).unwrap();
        assert_eq!(head(&mut store, 0, 100), Ok(1));
        assert_eq!(store.read::<Level>(level_index(0, 100)).unwrap().open_e9, 16);
        assert_eq!(shrink(&mut store, 1, 7), Err(Fault::Corrupt));
    }
}
