//! Writes `tests/vectors/tree.json`: `cargo run --release -p novation-stf --example tree_vectors`.
//!
//! Records, the state root after each round, proofs; `state/tree.py` must agree.

use stf::error::Fault;
use stf::hash::Software;
use stf::ram::Row;
use stf::tree::{EMPTY_STATE_ROOT, SHAPES, StateTree};

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A small generator: the vectors must never change by themselves.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 24
}

fn rows(seed: &mut u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, shape) in (0u16..).zip(SHAPES) {
        for _ in 0..3 {
            // Half of them near zero, so that rounds meet in the same places.
            let random = if next(seed).is_multiple_of(2) { next(seed) % 4 } else { next(seed) };
            let index = random & ((1u64 << shape.depth) - 1);
            let absent = next(seed).is_multiple_of(4);
            let bytes = if absent { 0 } else { shape.words * 32 };
            rows.push((kind, index, (0..bytes).map(|_| next(seed).to_le_bytes()[0]).collect()));
        }
    }
    rows
}

fn main() -> Result<(), Fault> {
    let (mut seed, mut tree, mut rounds) = (2u64, StateTree::new(), Vec::new());
    for _ in 0..4 {
        let rows = rows(&mut seed);
        let root = tree.update(&rows, &mut Software)?;
        let mut records = Vec::new();
        for (kind, index, bytes) in &rows {
            records.push(format!("[{kind}, {index}, \"{}\"]", hex(bytes)));
        }
        let mut proofs = Vec::new();
        for (kind, index, _) in rows.iter().step_by(5) {
            let path = tree.proof(*kind, *index, &mut Software)?;
            let siblings: Vec<String> =
                path.iter().map(|word| format!("\"{}\"", hex(word))).collect();
            proofs.push(format!("[{kind}, {index}, [{}]]", siblings.join(", ")));
        }
        rounds.push(format!(
            "{{\"records\": [\n{}\n], \"root\": \"{}\", \"proofs\": [\n{}\n]}}",
            records.join(",\n"),
            hex(&root),
            proofs.join(",\n")
        ));
    }
    println!(
        "{{\"empty\": \"{}\", \"rounds\": [\n{}\n]}}",
        hex(&EMPTY_STATE_ROOT),
        rounds.join(",\n")
    );
    Ok(())
}
