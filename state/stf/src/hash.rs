//! keccak256 in software, as Ethereum has it.
//!
//! In: bytes. Out: a word. `hash64` is what all state is hashed with; it is `const`, so that the
//! roots of empty trees are constants.
//! Holds: no allocation, no panic, no branch on data but its length.
//! Not here: trees (`incremental`, `tree`); the guest asks its machine instead of calling `hash64`.

use crate::platform::Platform;
use crate::types::{Address, Word};

/// Bytes absorbed by one permutation.
const RATE: usize = 136;
/// Lanes absorbed by one permutation.
const RATE_LANES: usize = RATE / 8;

/// One constant per round.
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Lanes that `round` keeps complemented: that leaves eight of its 25 complements (no `andn` on
/// RV64IM and plain x86-64; measured a tenth faster).
const COMPLEMENTED: [usize; 6] = [1, 2, 8, 12, 17, 20];

const fn complement(state: &mut [u64; 25]) {
    let mut at = 0;
    while at < COMPLEMENTED.len() {
        state[COMPLEMENTED[at]] = !state[COMPLEMENTED[at]];
        at += 1;
    }
}

/// One round, lane by lane: measured 2.5 times as fast in the guest as loops over the lanes.
#[inline(always)]
#[allow(clippy::inline_always, clippy::many_single_char_names)]
const fn round(s: &[u64; 25], constant: u64) -> [u64; 25] {
    let c0 = s[0] ^ s[5] ^ s[10] ^ s[15] ^ s[20];
    let c1 = s[1] ^ s[6] ^ s[11] ^ s[16] ^ s[21];
    let c2 = s[2] ^ s[7] ^ s[12] ^ s[17] ^ s[22];
    let c3 = s[3] ^ s[8] ^ s[13] ^ s[18] ^ s[23];
    let c4 = s[4] ^ s[9] ^ s[14] ^ s[19] ^ s[24];
    let d0 = c4 ^ c1.rotate_left(1);
    let d1 = c0 ^ c2.rotate_left(1);
    let d2 = c1 ^ c3.rotate_left(1);
    let d3 = c2 ^ c4.rotate_left(1);
    let d4 = c3 ^ c0.rotate_left(1);
    let b0 = s[0] ^ d0;
    let b1 = (s[6] ^ d1).rotate_left(44);
    let b2 = (s[12] ^ d2).rotate_left(43);
    let b3 = (s[18] ^ d3).rotate_left(21);
    let b4 = (s[24] ^ d4).rotate_left(14);
    let b5 = (s[3] ^ d3).rotate_left(28);
    let b6 = (s[9] ^ d4).rotate_left(20);
    let b7 = (s[10] ^ d0).rotate_left(3);
    let b8 = (s[16] ^ d1).rotate_left(45);
    let b9 = (s[22] ^ d2).rotate_left(61);
    let b10 = (s[1] ^ d1).rotate_left(1);
    let b11 = (s[7] ^ d2).rotate_left(6);
    let b12 = (s[13] ^ d3).rotate_left(25);
    let b13 = (s[19] ^ d4).rotate_left(8);
    let b14 = (s[20] ^ d0).rotate_left(18);
    let b15 = (s[4] ^ d4).rotate_left(27);
    let b16 = (s[5] ^ d0).rotate_left(36);
    let b17 = (s[11] ^ d1).rotate_left(10);
    let b18 = (s[17] ^ d2).rotate_left(15);
    let b19 = (s[23] ^ d3).rotate_left(56);
    let b20 = (s[2] ^ d2).rotate_left(62);
    let b21 = (s[8] ^ d3).rotate_left(55);
    let b22 = (s[14] ^ d4).rotate_left(39);
    let b23 = (s[15] ^ d0).rotate_left(41);
    let b24 = (s[21] ^ d1).rotate_left(2);
    [
        b0 ^ (b1 | b2) ^ constant,
        b1 ^ (!b2 | b3),
        b2 ^ (b3 & b4),
        b3 ^ (b4 | b0),
        b4 ^ (b0 & b1),
        b5 ^ (b6 | b7),
        b6 ^ (b7 & b8),
        b7 ^ (b8 | !b9),
        b8 ^ (b9 | b5),
        b9 ^ (b5 & b6),
        b10 ^ (b11 | b12),
        b11 ^ (b12 & b13),
        b12 ^ (!b13 & b14),
        !b13 ^ (b14 | b10),
        b14 ^ (b10 & b11),
        b15 ^ (b16 & b17),
        b16 ^ (b17 | b18),
        b17 ^ (!b18 | b19),
        !b18 ^ (b19 & b15),
        b19 ^ (b15 | b16),
        b20 ^ (!b21 & b22),
        !b21 ^ (b22 | b23),
        b22 ^ (b23 & b24),
        b23 ^ (b24 | b20),
        b24 ^ (b20 & b21),
    ]
}

const fn permute(mut state: [u64; 25]) -> [u64; 25] {
    complement(&mut state);
    let mut index = 0;
    while index < ROUNDS.len() {
        state = round(&state, ROUNDS[index]);
        index += 1;
    }
    complement(&mut state);
    state
}

/// Lane `at` of a word.
const fn lane(word: &Word, at: usize) -> u64 {
    let mut value = 0;
    let mut byte = 8;
    while byte > 0 {
        byte -= 1;
        value = value << 8 | word[at * 8 + byte] as u64;
    }
    value
}

/// The first four lanes.
const fn squeeze(state: &[u64; 25]) -> Word {
    let mut out = [0; 32];
    let mut at = 0;
    while at < 4 {
        let bytes = state[at].to_le_bytes();
        let mut byte = 0;
        while byte < 8 {
            out[at * 8 + byte] = bytes[byte];
            byte += 1;
        }
        at += 1;
    }
    out
}

/// keccak256 of `left || right`.
pub const fn hash64(left: &Word, right: &Word) -> Word {
    let mut state = [0; 25];
    let mut at = 0;
    while at < 4 {
        state[at] = lane(left, at);
        state[at + 4] = lane(right, at);
        at += 1;
    }
    state[8] = 1;
    state[RATE_LANES - 1] = 1 << 63;
    squeeze(&permute(state))
}

/// keccak256 of any bytes.
pub fn keccak256(data: &[u8]) -> Word {
    let mut state = [0; 25];
    let (blocks, rest) = data.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
        state = permute(state);
    }
    let mut last = [0; RATE];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    if let Some(end) = last.get_mut(rest.len()) {
        *end = 1;
    }
    last[RATE - 1] |= 0x80;
    absorb(&mut state, &last);
    squeeze(&permute(state))
}

fn absorb(state: &mut [u64; 25], block: &[u8; RATE]) {
    let (lanes, _) = block.as_chunks::<8>();
    for (to, from) in state.iter_mut().zip(lanes) {
        *to ^= u64::from_le_bytes(*from);
    }
}

/// A platform that hashes in software and knows no signatures: enough for trees and proofs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Software;

impl Platform for Software {
    fn hash64(&mut self, left: &Word, right: &Word) -> Word {
        hash64(left, right)
    }

    fn keccak256(&mut self, data: &[u8]) -> Word {
        keccak256(data)
    }

    fn recover(&mut self, _digest: &Word, _signature: &[u8; 64]) -> Option<Address> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn hex(word: &Word) -> alloc::string::String {
        use core::fmt::Write;
        let mut out = alloc::string::String::new();
        for byte in word {
            write!(out, "{byte:02x}").expect("a string grows");
        }
        out
    }

    #[test]
    fn known_answers_of_keccak256() {
        for (length, answer) in [
            (0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            (1, "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"),
            (64, "002030bde3d4cf89919649775cd71875c4d0ab1708a380e03fefc3a28aa24831"),
            (135, "cbdfd9dee5faad3818d6b06f95a219fd290b0e1706f6a82e5a595b9ce9faca62"),
            (136, "7ce759f1ab7f9ce437719970c26b0a66ff11fe3e38e17df89cf5d29c7d7f807e"),
            (137, "ac73d4fae68b8453f764007c1a20ce95994187861f0c3227a3a8e99a73a3b1db"),
            (271, "7c974895b2a88303ff2dc6b58f438ceb0b298cac91099ac0539cc0f477506191"),
            (272, "fdf2ec49e749960d3c8521a0219af8d03e30e2b3bf19bd16150ee0eaf133d66e"),
            (1024, "5902e53903be0d0f9656bdbd5b9f0d8c2d815f865645d629eef77f5185f6cd7f"),
        ] {
            let data: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            assert_eq!(hex(&keccak256(&data)), answer, "of {length} bytes");
        }
    }

    #[test]
    fn hash64_is_keccak256_of_both_words() {
        for seed in 0..32u8 {
            let (left, right) = ([seed; 32], [seed.wrapping_mul(77) ^ 5; 32]);
            assert_eq!(hash64(&left, &right), keccak256(&[left, right].concat()));
        }
    }
}
