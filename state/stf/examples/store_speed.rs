//! How fast the store in memory is: `cargo run --release -p novation-stf --example store_speed`.

use std::hint::black_box;
use std::time::Instant;

use stf::error::Fault;
use stf::ram::RamStore;
use stf::records::Order;
use stf::store::Store;

fn main() -> Result<(), Fault> {
    let mut store = RamStore::new();
    let count = 4_000_000u64;
    let index = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 64_000;
    for n in 0..64_000 {
        store.write::<Order>(n)?.open_e9 = n;
    }
    let start = Instant::now();
    let mut sum = 0u64;
    for n in 0..count {
        sum ^= store.read::<Order>(index(n))?.open_e9;
    }
    black_box(sum);
    println!("read: {} ns", start.elapsed().as_nanos() / u128::from(count));
    let start = Instant::now();
    for n in 0..count {
        if n % 8 == 0 {
            store.checkpoint();
        }
        store.write::<Order>(index(n))?.open_e9 = n;
    }
    println!("edit: {} ns", start.elapsed().as_nanos() / u128::from(count));
    Ok(())
}
