//! Position slots of a subaccount: found by market, taken at the first use, given back when nothing
//! is left.
//!
//! In: subaccount index and market. Out: `Position` records and the subaccount's slot table.
//! Holds: a slot is in the table iff its record is not all zero; a market has at most one slot.
//! Not here: what a position is worth (`margin`).

use crate::error::{Fault, Reject, Stop};
use crate::math::{Checked, add, mul, portion_ceil, sub, value_floor};
use crate::records::{POSITIONS, Position, Subaccount};
use crate::store::Store;

/// The slot of a market, if the subaccount has one.
pub(crate) fn slot_of(subaccount: &Subaccount, market: u32) -> Option<u64> {
    // Any number may be asked for; only listed markets have slots.
    let wanted = u16::try_from(market).ok()?.checked_add(1)?;
    (0..).zip(subaccount.slots.iter()).find(|(_, entry)| **entry == wanted).map(|(slot, _)| slot)
}

/// Where the record of a slot is kept.
pub(crate) fn index(subaccount: u64, slot: u64) -> u64 {
    subaccount * POSITIONS as u64 + slot
}

/// The position in a market; an empty one if there is none.
pub(crate) fn load<S: Store>(
    store: &mut S,
    subaccount: u64,
    market: u32,
) -> Result<Position, Fault> {
    match slot_of(store.read::<Subaccount>(subaccount)?, market) {
        Some(slot) => Ok(*store.read::<Position>(index(subaccount, slot))?),
        None => Ok(Position { market, ..Position::default() }),
    }
}

/// Writes a position, taking or giving back its slot.
pub(crate) fn save<S: Store>(
    store: &mut S,
    subaccount: u64,
    position: Position,
) -> Result<(), Stop> {
    let empty = position.size_e9 == 0 && position.buys_e9 == 0 && position.sells_e9 == 0;
    let slot = slot_of(store.read::<Subaccount>(subaccount)?, position.market);
    let (slot, record) = match (slot, empty) {
        (None, true) => return Ok(()),
        (Some(slot), true) => {
            set_slot(store, subaccount, slot, 0)?;
            (slot, Position::default())
        }
        (Some(slot), false) => (slot, position),
        (None, false) => (take_slot(store, subaccount, position.market)?, position),
    };
    *store.write::<Position>(index(subaccount, slot))? = record;
    Ok(())
}

fn take_slot<S: Store>(store: &mut S, subaccount: u64, market: u32) -> Result<u64, Stop> {
    let slots = &store.read::<Subaccount>(subaccount)?.slots;
    let free = (0..).zip(slots.iter()).find(|(_, entry)| **entry == 0).map(|(slot, _)| slot);
    let slot = free.ok_or(Reject::TooManyPositions)?;
    set_slot(store, subaccount, slot, u16::try_from(market + 1).map_err(|_| Fault::Corrupt)?)?;
    Ok(slot)
}

fn set_slot<S: Store>(store: &mut S, subaccount: u64, slot: u64, entry: u16) -> Result<(), Fault> {
    let record = store.write::<Subaccount>(subaccount)?;
    for (place, target) in (0..).zip(record.slots.iter_mut()) {
        if place == slot {
            *target = entry;
        }
    }
    let used = record.slots.iter().filter(|entry| **entry != 0).count();
    record.position_count = u8::try_from(used).map_err(|_| Fault::Corrupt)?;
    Ok(())
}

/// What a fill leaves of a position, and the profit it realises (trading.md 5.7).
///
/// Σ (balance - entry value) changes by exactly minus the signed value of the fill, whatever is
/// rounded: the part of the entry value that is closed is rounded up, so profit is rounded down,
/// and the residue stays.
pub(crate) fn fill(
    position: &Position,
    buy: bool,
    qty_e9: u64,
    price_e9: u64,
) -> Checked<(Position, i128)> {
    let signed = signed(buy, qty_e9)?;
    let size = position.size_e9.checked_add(signed).ok_or(Reject::Overflow)?;
    let value = value_floor(i128::from(signed), price_e9)?;
    let entry = position.entry_value_e9;
    let held = position.size_e9.unsigned_abs();
    let (entry, profit) = if position.size_e9 == 0 || (position.size_e9 > 0) == buy {
        (add(entry, value)?, 0)
    } else if qty_e9 <= held {
        let part = portion_ceil(entry, qty_e9, held)?;
        (sub(entry, part)?, sub(0, add(value, part)?)?)
    } else {
        let closed = mul(-1, value_floor(i128::from(position.size_e9), price_e9)?)?;
        (sub(value, closed)?, sub(0, add(closed, entry)?)?)
    };
    Ok((Position { size_e9: size, entry_value_e9: entry, ..*position }, profit))
}

/// A quantity with the sign of its side.
pub(crate) fn signed(buy: bool, qty_e9: u64) -> Checked<i64> {
    let qty = i64::try_from(qty_e9).map_err(|_| Reject::Overflow)?;
    Ok(if buy { qty } else { -qty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::RamStore;
    use crate::types::E9;

    fn held(size_e9: i64, entry_value_e9: i128) -> Position {
        Position { size_e9, entry_value_e9, ..Position::default() }
    }

    #[test]
    fn opening_and_adding_realise_nothing() {
        let (position, profit) = fill(&held(0, 0), true, 2 * E9, 100 * E9).unwrap();
        assert_eq!((position, profit), (held(2_000_000_000, 200_000_000_000), 0));
        let (position, profit) = fill(&position, true, E9, 130 * E9).unwrap();
        assert_eq!((position, profit), (held(3_000_000_000, 330_000_000_000), 0));
    }

    #[test]
    fn profit_is_rounded_down_and_the_residue_stays_in_the_entry_value() {
        // A third of 100 is closed at 40: 40 - 33.3.. = 6.6.., rounded down.
        let (position, profit) = fill(&held(3, 100), false, 1, 40 * E9).unwrap();
        assert_eq!((position, profit), (held(2, 66), 6));
        let (position, profit) = fill(&held(-3, -100), true, 1, 40 * E9).unwrap();
        assert_eq!((position, profit), (held(-2, -67), -7));
    }

    #[test]
    fn a_fill_through_zero_closes_all_and_opens_the_rest() {
        let (position, profit) = fill(&held(2, 100), false, 5, 60 * E9).unwrap();
        assert_eq!((position, profit), (held(-3, -180), 20));
    }

    #[test]
    fn balance_less_entry_value_always_changes_by_the_value_of_the_fill() {
        let mut random = crate::testing::Random::new(3);
        let mut position = held(0, 0);
        for _ in 0..5_000 {
            let (buy, qty) = (random.below(2) == 0, 1 + random.below(1_000));
            let price = (1 + random.below(1_000)) * E9;
            let (after, profit) = fill(&position, buy, qty, price).unwrap();
            let value = i128::from(signed(buy, qty).unwrap()) * i128::from(price / E9);
            assert_eq!(profit - (after.entry_value_e9 - position.entry_value_e9), -value);
            assert!(after.size_e9 != 0 || after.entry_value_e9 == 0);
            position = after;
        }
    }

    #[test]
    fn a_size_out_of_range_is_refused() {
        assert_eq!(fill(&held(i64::MAX, 0), true, 1, E9), Err(Reject::Overflow));
        assert_eq!(fill(&held(0, 0), true, u64::MAX, E9), Err(Reject::Overflow));
    }

    #[test]
    fn slots_are_taken_lowest_first_given_back_and_limited_to_32() {
        let mut store = RamStore::new();
        for market in 0..32 {
            save(&mut store, 16, Position { market, size_e9: 1, ..Position::default() }).unwrap();
        }
        let next = Position { market: 99, size_e9: 1, ..Position::default() };
        assert_eq!(save(&mut store, 16, next), Err(Stop::Reject(Reject::TooManyPositions)));
        save(&mut store, 16, Position { market: 5, ..Position::default() }).unwrap();
        assert_eq!(store.read::<Subaccount>(16).unwrap().position_count, 31);
        save(&mut store, 16, next).unwrap();
        let subaccount = *store.read::<Subaccount>(16).unwrap();
        assert_eq!(slot_of(&subaccount, 99), Some(5));
        assert_eq!(load(&mut store, 16, 99).unwrap(), next);
        assert_eq!(load(&mut store, 16, 5).unwrap().size_e9, 0);
    }
}
