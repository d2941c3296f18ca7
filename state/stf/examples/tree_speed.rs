//! How near the state tree is to the speed of hashing alone:
//! `cargo run --release -p novation-stf --example tree_speed`.

use std::time::Instant;

use stf::error::Fault;
use stf::hash::{Software, hash64};
use stf::platform::Platform;
use stf::ram::Row;
use stf::tree::StateTree;
use stf::types::{Address, Word};

struct Counting(u32);

impl Platform for Counting {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        self.0 += 1;
        hash64(left, right)
    }

    fn keccak256(&mut self, _data: &[u8]) -> Word {
        [0; 32]
    }

    fn recover(&mut self, _digest: &Word, _signature: &[u8; 64]) -> Option<Address> {
        None
    }
}

/// 10,000 dirty records: orders of 1,000 subaccounts, or spread over the whole tree.
fn rows(salt: u64, spread: bool) -> Vec<Row> {
    let rows = (0..10_000u64).map(|n| {
        let random = (n + salt * 10_000).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let index = if spread { random >> 28 } else { (random >> 40) % 1_000 * 256 + n % 40 };
        (6, index, [n.to_le_bytes(), [1; 8]].concat().repeat(4))
    });
    rows.collect()
}

fn main() -> Result<(), Fault> {
    for (name, spread) in [("orders of 1,000 subaccounts", false), ("all over the tree", true)] {
        let mut tree = StateTree::new();
        let mut platform = Counting(0);
        tree.update(&rows(0, spread), &mut platform)?;
        platform.0 = 0;
        let again = rows(u64::from(!spread), spread);
        let start = Instant::now();
        tree.update(&again, &mut platform)?;
        let tree_ns = start.elapsed().as_nanos();
        let mut node = tree.root();
        let start = Instant::now();
        for _ in 0..platform.0 {
            node = Software.hash64(&node, &node);
        }
        let raw_ns = start.elapsed().as_nanos();
        let (count, percent) = (platform.0, raw_ns * 100 / tree_ns);
        println!(
            "{name}: {count} hashes, {} us, {percent} % of raw hashing ({:02x})",
            tree_ns / 1_000,
            node[0]
        );
    }
    Ok(())
}
