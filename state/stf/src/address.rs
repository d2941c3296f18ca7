//! Which account an address has: a crit-bit tree whose nodes are records.
//!
//! In: addresses. Out: account indices, 0 for none.
//! Holds: at most 160 nodes on a way, so at most 160 steps; a node's index is the account whose
//! insertion made it.
//! Not here: what an account holds (`ops`, `direct`).

use crate::error::Fault;
use crate::records::{Account, AddressNode, Chain};
use crate::store::Store;
use crate::types::Address;

/// Bits of an address: the longest way through the tree.
const BITS: u8 = 160;
/// Account indices fit the depth of their tree.
const ACCOUNTS_MAX: u32 = (1 << 24) - 1;

/// The account of an address; 0 = none.
pub fn find<S: Store>(store: &mut S, address: &Address) -> Result<u32, Fault> {
    let account = nearest(store, address)?;
    if account == 0 || store.read::<Account>(u64::from(account))?.address != *address {
        return Ok(0);
    }
    Ok(account)
}

/// The account of an address, made if it is new; None when the tree of accounts is full.
pub fn find_or_create<S: Store>(store: &mut S, address: &Address) -> Result<Option<u32>, Fault> {
    let near = nearest(store, address)?;
    let differs = match near {
        0 => None,
        _ => first_difference(&store.read::<Account>(u64::from(near))?.address, address),
    };
    if near != 0 && differs.is_none() {
        return Ok(Some(near));
    }
    let chain = store.write::<Chain>(0)?;
    if chain.account_count >= ACCOUNTS_MAX {
        return Ok(None);
    }
    chain.account_count += 1;
    let account = chain.account_count;
    match differs {
        None => chain.address_root = account * 2,
        Some(bit) => insert(store, address, account, bit)?,
    }
    store.write::<Account>(u64::from(account))?.address = *address;
    Ok(Some(account))
}

/// Nodes on the way that an address takes through the tree.
pub fn way<S: Store>(store: &mut S, address: &Address) -> Result<u64, Fault> {
    let mut link = u64::from(store.read::<Chain>(0)?.address_root);
    for passed in 0..=u64::from(BITS) {
        if link & 1 == 0 {
            return Ok(passed);
        }
        let node = store.read::<AddressNode>(link >> 1)?;
        link = if bit_of(address, node.bit) { node.right } else { node.left };
    }
    Err(Fault::Corrupt)
}

/// Hangs a new leaf and the node above it where the ways part at `bit`.
fn insert<S: Store>(store: &mut S, address: &Address, account: u32, bit: u8) -> Result<(), Fault> {
    let mut parent = None;
    let mut link = u64::from(store.read::<Chain>(0)?.address_root);
    for _ in 0..BITS {
        if link & 1 == 0 {
            break;
        }
        let node = *store.read::<AddressNode>(link >> 1)?;
        if node.bit > bit {
            break;
        }
        let right = bit_of(address, node.bit);
        parent = Some((link >> 1, right));
        link = if right { node.right } else { node.left };
    }
    let leaf = u64::from(account) * 2;
    let (left, right) = if bit_of(address, bit) { (link, leaf) } else { (leaf, link) };
    *store.write::<AddressNode>(u64::from(account))? = AddressNode { bit, left, right };
    match parent {
        None => store.write::<Chain>(0)?.address_root = account * 2 + 1,
        Some((index, false)) => store.write::<AddressNode>(index)?.left = leaf + 1,
        Some((index, true)) => store.write::<AddressNode>(index)?.right = leaf + 1,
    }
    Ok(())
}

/// The account that shares the longest way with the address; 0 in an empty tree.
fn nearest<S: Store>(store: &mut S, address: &Address) -> Result<u32, Fault> {
    let mut link = u64::from(store.read::<Chain>(0)?.address_root);
    for _ in 0..=BITS {
        if link & 1 == 0 {
            return u32::try_from(link >> 1).map_err(|_| Fault::Corrupt);
        }
        let node = store.read::<AddressNode>(link >> 1)?;
        link = if bit_of(address, node.bit) { node.right } else { node.left };
    }
    Err(Fault::Corrupt)
}

fn bit_of(address: &Address, bit: u8) -> bool {
    let byte = address.0.get(usize::from(bit / 8)).copied().unwrap_or(0);
    byte & (0x80 >> (bit % 8)) != 0
}

fn first_difference(a: &Address, b: &Address) -> Option<u8> {
    (0..BITS).find(|bit| bit_of(a, *bit) != bit_of(b, *bit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::RamStore;
    use crate::testing::Random;

    #[test]
    fn every_inserted_address_is_found_and_no_other() {
        let (mut store, mut random) = (RamStore::default(), Random::new(7));
        let mut known = alloc::vec::Vec::new();
        for count in 1..=500_u32 {
            let mut address = random.address();
            if count % 5 == 0 {
                // Nearly equal addresses make long ways.
                address = known[known.len() - 1];
                address.0[19] ^= 1 << (count % 8);
            }
            if known.contains(&address) {
                continue;
            }
            let account = find_or_create(&mut store, &address).unwrap().unwrap();
            known.push(address);
            assert_eq!(account as usize, known.len());
        }
        for (place, address) in known.iter().enumerate() {
            assert_eq!(find(&mut store, address), Ok(u32::try_from(place).unwrap() + 1));
            assert_eq!(find_or_create(&mut store, address), Ok(find(&mut store, address).ok()));
        }
        for _ in 0..500 {
            assert_eq!(find(&mut store, &random.address()), Ok(0));
        }
    }

    #[test]
    fn an_empty_tree_knows_nobody() {
        assert_eq!(find(&mut RamStore::default(), &Address([1; 20])), Ok(0));
    }
}
