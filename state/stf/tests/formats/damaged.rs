//! Round trips of random values; decoders are total on damaged bytes, and what decodes is
//! canonical.

use crate::generator::Random;
use stf::codec::{decode_segment, directory_of, encode_body, encode_segment};
use stf::envelope::{decode_transaction, raw_transaction, signing_payload};
use stf::operations::{decode_rows, encode_rows};

const CHAIN_ID: u64 = 412_001;

/// Flips, cuts, inserts or overwrites a few bytes.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.next().to_le_bytes()[0]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[1],
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
}

#[test]
fn a_random_block_survives_its_segment() {
    let mut random = Random::from_seed(1);
    let mut inputs = 0;
    for case in 0..3_000 {
        let (t_first, header_direct_to) = (random.number() >> 1, random.number());
        let time = t_first + (random.number() >> 2);
        let direct_to = header_direct_to.saturating_sub(random.number());
        let block = random.block(time, direct_to);
        inputs += block.inputs.len();
        let bytes = encode_segment(&block, t_first, header_direct_to).expect("a lawful block");
        let again = decode_segment(&bytes, t_first, header_direct_to);
        assert_eq!(again.as_ref(), Some(&block), "case {case}");
    }
    println!("3000 blocks, {inputs} inputs");
    assert!(inputs > 1_000);
}

#[test]
fn a_damaged_segment_is_bad_or_canonical() {
    let mut random = Random::from_seed(2);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let block = random.block(1_000_000, 70);
        let mut bytes = encode_segment(&block, 999_000, 75).expect("a lawful block");
        damage(&mut random, &mut bytes);
        match decode_segment(&bytes, 999_000, 75) {
            Some(block) => {
                assert_eq!(encode_segment(&block, 999_000, 75), Some(bytes));
                good += 1;
            }
            None => bad += 1,
        }
    }
    println!("{good} decoded, {bad} bad");
    assert!(good > 0 && bad > 0);
}

#[test]
fn random_bytes_never_stop_a_decoder() {
    let mut random = Random::from_seed(3);
    let mut decoded = 0;
    for _ in 0..100_000 {
        let bound = if random.chance(90) { 12 } else { 300 };
        let size = random.below(bound);
        let bytes: Vec<u8> = (0..size).map(|_| random.number().to_le_bytes()[0] & 0x3f).collect();
        if let Some(block) = decode_segment(&bytes, 0, 1 << 40) {
            assert_eq!(encode_segment(&block, 0, 1 << 40), Some(bytes.clone()));
            decoded += 1;
        }
        if let Some(ranges) = directory_of(&bytes) {
            let parts: Vec<Vec<u8>> = ranges
                .iter()
                .map(|range| bytes[range.start as usize..range.end as usize].to_vec())
                .collect();
            assert_eq!(encode_body(&parts), Some(bytes.clone()));
            decoded += 1;
        }
        if let Ok(rows) = decode_rows(&bytes) {
            assert_eq!(encode_rows(&rows), bytes);
            decoded += 1;
        }
        if let Ok(decoded) = decode_transaction(&bytes, CHAIN_ID) {
            assert_eq!(raw_transaction(&decoded.envelope, CHAIN_ID), bytes);
        }
    }
    println!("{decoded} of 300000 decoded");
    assert!(decoded > 0);
}

#[test]
fn a_random_envelope_survives_its_transaction() {
    let mut random = Random::from_seed(4);
    for case in 0..5_000 {
        let nonce = random.number();
        let chain_id = random.number();
        let envelope = random.envelope(0, nonce);
        let raw = raw_transaction(&envelope, chain_id);
        let decoded = decode_transaction(&raw, chain_id).unwrap_or_else(|why| {
            panic!("case {case}: {why:?}: {envelope:?}");
        });
        assert_eq!(decoded.envelope, envelope, "case {case}");
        assert_eq!(decoded.payload, signing_payload(&envelope, chain_id));
    }
    println!("5000 envelopes");
}

#[test]
fn a_damaged_transaction_is_refused_or_canonical() {
    let mut random = Random::from_seed(5);
    let mut refused = std::collections::BTreeMap::new();
    let mut good = 0;
    for _ in 0..50_000 {
        let mut raw = raw_transaction(&random.envelope(0, 7), CHAIN_ID);
        damage(&mut random, &mut raw);
        match decode_transaction(&raw, CHAIN_ID) {
            Ok(decoded) => {
                assert_eq!(raw_transaction(&decoded.envelope, CHAIN_ID), raw);
                good += 1;
            }
            Err(reason) => *refused.entry(reason.slug()).or_insert(0) += 1,
        }
    }
    println!("{good} decoded, refused {refused:?}");
    assert!(good > 0 && refused.len() >= 8);
}

#[test]
fn a_directory_must_describe_exactly_the_rest() {
    let parts = vec![vec![7; 3], Vec::new(), vec![9; 200]];
    let body = encode_body(&parts).unwrap();
    let ranges = directory_of(&body).unwrap();
    assert_eq!(ranges, [6..9, 9..9, 9..209]);
    let mut random = Random::from_seed(6);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let count = random.below(60);
        let parts: Vec<Vec<u8>> = (0..count).map(|_| vec![1; random.below(400)]).collect();
        let mut bytes = encode_body(&parts).unwrap();
        let whole = directory_of(&bytes).expect("as encoded");
        assert!(whole.iter().map(ExactSizeIterator::len).eq(parts.iter().map(Vec::len)));
        damage(&mut random, &mut bytes);
        match directory_of(&bytes) {
            Some(ranges) => {
                assert_eq!(ranges.last().map_or(2, |last| last.end as usize), bytes.len());
                good += 1;
            }
            None => bad += 1,
        }
    }
    println!("{good} directories, {bad} bad");
    assert!(good > 0 && bad > 0);
    assert_eq!(directory_of(&[1, 0]), Some(vec![]));
    assert_eq!(directory_of(&[1, 0, 0]), None);
    assert_eq!(directory_of(&[2, 0]), None);
    assert_eq!(directory_of(&[]), None);
    assert_eq!(directory_of(&[1, 0x81, 0x20]), None, "4,097 segments");
    assert_eq!(encode_body(&vec![Vec::new(); 4_097]), None);
}

#[test]
fn a_block_that_has_no_segment_is_not_encoded() {
    let mut random = Random::from_seed(7);
    let mut block = random.block(1_000, 5);
    assert!(encode_segment(&block, 1_001, 5).is_none(), "before the batch");
    assert!(encode_segment(&block, 1_000, 4).is_none(), "behind the header");
    assert!(decode_segment(&[1, 0, 0], u64::MAX, 0).is_none(), "time over 64 bits");
    assert!(decode_segment(&[0, 1, 0], 0, 0).is_none(), "direct_to below zero");
    let input = loop {
        if let Some(input) = random.block(1_000, 5).inputs.pop() {
            break input;
        }
    };
    block.inputs = vec![input; 257];
    assert!(encode_segment(&block, 1_000, 5).is_none(), "257 inputs");
}
