//! Open orders with all that hangs on them: queue, slot, client id, sums of the position, counts.
//!
//! In: an order and its reference. Out: the same records, all changed together or not at all.
//! Holds: whatever `rest` writes, `take_out` undoes; `reduce` is the part that a fill takes.
//! Not here: whether an order may rest (`place`), the queue itself (`book`).

use crate::book;
use crate::error::{Fault, Reject, Stop};
use crate::positions;
use crate::records::{ClientIds, Market, ORDERS, Order, Position, Subaccount};
use crate::store::Store;

/// Client ids of one record.
const PART: u64 = 64;

/// The subaccount of an order reference.
pub(crate) fn subaccount_of(reference: u64) -> u64 {
    reference / ORDERS as u64
}

/// The reference of a slot.
pub(crate) fn reference(subaccount: u64, slot: u64) -> u64 {
    subaccount * ORDERS as u64 + slot
}

/// Puts an order into its book, at the end of its price's queue.
pub(crate) fn rest<S: Store>(store: &mut S, reference: u64, order: Order) -> Result<(), Stop> {
    let subaccount = subaccount_of(reference);
    book::insert(store, reference, order)?;
    set_slot(store, reference, true)?;
    set_client_id(store, reference, order.client_id)?;
    let market = store.write::<Market>(order.market.into())?;
    market.open_orders = market.open_orders.checked_add(1).ok_or(Reject::Overflow)?;
    let mut position = positions::load(store, subaccount, order.market)?;
    let sum = side_sum(&mut position, order.buy);
    *sum = sum.checked_add(order.open_e9).ok_or(Reject::Overflow)?;
    position.open_orders += 1;
    positions::save(store, subaccount, position)
}

/// Takes an order out of its book; what it was.
pub(crate) fn take_out<S: Store>(store: &mut S, reference: u64) -> Result<Order, Stop> {
    let order = *store.read::<Order>(reference)?;
    let subaccount = subaccount_of(reference);
    let mut position = positions::load(store, subaccount, order.market)?;
    release(&mut position, &order, order.open_e9)?;
    positions::save(store, subaccount, position)?;
    free(store, reference)?;
    Ok(order)
}

/// Takes `qty_e9` off an order and its sums in `position`, which the caller writes.
pub(crate) fn reduce<S: Store>(
    store: &mut S,
    reference: u64,
    qty_e9: u64,
    position: &mut Position,
) -> Result<(), Fault> {
    let order = *store.read::<Order>(reference)?;
    release(position, &order, qty_e9)?;
    if qty_e9 == order.open_e9 {
        free(store, reference)
    } else {
        book::shrink(store, reference, qty_e9)
    }
}

/// The open order of a subaccount with this client id.
pub(crate) fn by_client_id<S: Store>(
    store: &mut S,
    subaccount: u64,
    client_id: u64,
) -> Result<Option<u64>, Fault> {
    if client_id == 0 {
        return Ok(None);
    }
    let open = store.read::<Subaccount>(subaccount)?.open_slots;
    for (part, used) in (0..).zip(open.as_chunks::<8>().0) {
        if *used == [0; 8] {
            continue;
        }
        let record = store.read::<ClientIds>(subaccount * 4 + part)?;
        if let Some((place, _)) = (0..).zip(&record.ids).find(|(_, id)| **id == client_id) {
            return Ok(Some(reference(subaccount, part * PART + place)));
        }
    }
    Ok(None)
}

/// The lowest free order slot.
pub(crate) fn free_slot(subaccount: &Subaccount) -> Option<u16> {
    let bytes = (0..).step_by(8).zip(subaccount.open_slots);
    let (base, byte) = bytes.into_iter().find(|(_, byte)| *byte != 0xff)?;
    Some(base + u16::try_from(byte.trailing_ones()).unwrap_or(0))
}

fn side_sum(position: &mut Position, buy: bool) -> &mut u64 {
    if buy { &mut position.buys_e9 } else { &mut position.sells_e9 }
}

/// Takes `qty_e9` of an order off the sums of its position.
fn release(position: &mut Position, order: &Order, qty_e9: u64) -> Result<(), Fault> {
    let sum = side_sum(position, order.buy);
    *sum = sum.checked_sub(qty_e9).ok_or(Fault::Corrupt)?;
    if qty_e9 == order.open_e9 {
        position.open_orders = position.open_orders.checked_sub(1).ok_or(Fault::Corrupt)?;
    }
    Ok(())
}

/// Takes an order out of its queue and gives its slot and client id back.
fn free<S: Store>(store: &mut S, reference: u64) -> Result<(), Fault> {
    let order = book::remove(store, reference)?;
    set_slot(store, reference, false)?;
    if order.client_id != 0 {
        set_client_id(store, reference, 0)?;
    }
    let market = store.write::<Market>(order.market.into())?;
    market.open_orders = market.open_orders.checked_sub(1).ok_or(Fault::Corrupt)?;
    Ok(())
}

fn set_slot<S: Store>(store: &mut S, reference: u64, used: bool) -> Result<(), Fault> {
    let subaccount = store.write::<Subaccount>(subaccount_of(reference))?;
    let slot = reference % ORDERS as u64;
    let (byte, bit) = (usize::try_from(slot / 8).unwrap_or(0), 1u8 << (slot % 8));
    let byte = subaccount.open_slots.get_mut(byte).ok_or(Fault::Corrupt)?;
    if (*byte & bit != 0) == used {
        return Err(Fault::Corrupt);
    }
    *byte ^= bit;
    let count = if used {
        subaccount.open_count.checked_add(1)
    } else {
        subaccount.open_count.checked_sub(1)
    };
    subaccount.open_count = count.ok_or(Fault::Corrupt)?;
    Ok(())
}

fn set_client_id<S: Store>(store: &mut S, reference: u64, client_id: u64) -> Result<(), Fault> {
    let slot = reference % ORDERS as u64;
    if client_id == 0 && !has_client_id(store, reference)? {
        return Ok(());
    }
    let record = store.write::<ClientIds>(subaccount_of(reference) * 4 + slot / PART)?;
    let place = usize::try_from(slot % PART).unwrap_or(0);
    *record.ids.get_mut(place).ok_or(Fault::Corrupt)? = client_id;
    Ok(())
}

fn has_client_id<S: Store>(store: &mut S, reference: u64) -> Result<bool, Fault> {
    let slot = reference % ORDERS as u64;
    let record = store.read::<ClientIds>(subaccount_of(reference) * 4 + slot / PART)?;
    let place = usize::try_from(slot % PART).unwrap_or(0);
    Ok(record.ids.get(place).is_some_and(|id| *id != 0))
}
