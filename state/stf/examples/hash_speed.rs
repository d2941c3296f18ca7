//! How fast the hashing is: `cargo run --release -p novation-stf --example hash_speed`.

use std::time::Instant;
use stf::hash::hash64;

fn main() {
    let (mut node, count) = ([0; 32], 1_000_000u32);
    let start = Instant::now();
    for _ in 0..count {
        node = hash64(&node, &node);
    }
    let ns = start.elapsed().as_nanos() / u128::from(count);
    println!("hash64: {ns} ns ({:02x}..)", node[0]);
}
