//! Typed messages that are signed apart from transactions: oracle reports, commit groups.
//!
//! In: the message, chain id of the L2, address of the Inbox. Out: the digest that is signed.
//! Holds: docs/formats.md §6; type hashes are constants, checked against eth-account's vectors.
//! Not here: the signature (`Platform::recover`).

use crate::platform::Platform;
use crate::types::{Address, Report, Word};

/// keccak256 of `EIP712Domain(string name,string version,uint256 chainId,address
/// verifyingContract)`.
const DOMAIN_TYPE: Word = [
    0x8b, 0x73, 0xc3, 0xc6, 0x9b, 0xb8, 0xfe, 0x3d, 0x51, 0x2e, 0xcc, 0x4c, 0xf7, 0x59, 0xcc, 0x79,
    0x23, 0x9f, 0x7b, 0x17, 0x9b, 0x0f, 0xfa, 0xca, 0xa9, 0xa7, 0x5d, 0x52, 0x2b, 0x39, 0x40, 0x0f,
];
/// keccak256 of `Novation`.
const NAME: Word = [
    0xe4, 0x01, 0x2a, 0x4d, 0x7a, 0x58, 0xa4, 0xf5, 0xd7, 0xd9, 0xe1, 0x54, 0x6d, 0xfa, 0x0f, 0xb8,
    0x6d, 0x3d, 0x1c, 0xf3, 0xe0, 0x3a, 0x62, 0xf1, 0x46, 0xa5, 0x78, 0xc9, 0xb0, 0x23, 0xfb, 0x1c,
];
/// keccak256 of `1`.
const VERSION: Word = [
    0xc8, 0x9e, 0xfd, 0xaa, 0x54, 0xc0, 0xf2, 0x0c, 0x7a, 0xdf, 0x61, 0x28, 0x82, 0xdf, 0x09, 0x50,
    0xf5, 0xa9, 0x51, 0x63, 0x7e, 0x03, 0x07, 0xcd, 0xcb, 0x4c, 0x67, 0x2f, 0x29, 0x8b, 0x8b, 0xc6,
];
/// keccak256 of `Report(uint32 feed,uint64 priceE9,uint64 timeMs)`.
const REPORT_TYPE: Word = [
    0x52, 0x55, 0xec, 0x85, 0xa2, 0xd7, 0xd6, 0x90, 0x1e, 0x94, 0x74, 0x06, 0xec, 0x6e, 0x2b, 0x9e,
    0x3e, 0xc1, 0x7b, 0x45, 0xb3, 0x64, 0xc6, 0x91, 0xf4, 0x11, 0x93, 0x51, 0xf4, 0x9c, 0x2c, 0x13,
];
/// keccak256 of `CommitGroup(uint64 term,uint64 firstSeq,uint32 count,bytes32 receiptsRoot,bytes32
/// previous)`.
const COMMIT_GROUP_TYPE: Word = [
    0xcf, 0x31, 0x2f, 0x31, 0x1b, 0xe4, 0x7f, 0xe8, 0x66, 0x47, 0x5a, 0x72, 0x64, 0xe4, 0xb3, 0xe3,
    0x52, 0x39, 0x6e, 0x1c, 0xd2, 0xe8, 0x61, 0x25, 0x0a, 0x4d, 0xb2, 0xbc, 0x04, 0x14, 0x43, 0x97,
];

/// Receipts that became durable together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitGroup {
    /// Term of the sequencer.
    pub term: u64,
    /// First input.
    pub first_seq: u64,
    /// Inputs in it.
    pub count: u32,
    /// Root over their receipts.
    pub receipts_root: Word,
    /// Digest of the group before.
    pub previous: Word,
}

/// The digest that a reporter signs.
pub fn report_digest(
    report: &Report,
    chain_id: u64,
    inbox: &Address,
    platform: &mut impl Platform,
) -> Word {
    let message =
        [REPORT_TYPE, uint(u64::from(report.feed)), uint(report.price_e9), uint(report.time_ms)];
    digest(&message, chain_id, inbox, platform)
}

/// The digest that the sequencer signs.
pub fn commit_group_digest(
    group: &CommitGroup,
    chain_id: u64,
    inbox: &Address,
    platform: &mut impl Platform,
) -> Word {
    let message = [
        COMMIT_GROUP_TYPE,
        uint(group.term),
        uint(group.first_seq),
        uint(u64::from(group.count)),
        group.receipts_root,
        group.previous,
    ];
    digest(&message, chain_id, inbox, platform)
}

fn digest(message: &[Word], chain_id: u64, inbox: &Address, platform: &mut impl Platform) -> Word {
    let domain = [DOMAIN_TYPE, NAME, VERSION, uint(chain_id), right_aligned(&inbox.0)];
    let domain_hash = platform.keccak256(domain.as_flattened());
    let message_hash = platform.keccak256(message.as_flattened());
    let mut bytes = [0; 66];
    let head = [0x19, 0x01];
    let source = head.iter().chain(&domain_hash).chain(&message_hash);
    for (out, byte) in bytes.iter_mut().zip(source) {
        *out = *byte;
    }
    platform.keccak256(&bytes)
}

fn uint(value: u64) -> Word {
    right_aligned(&value.to_be_bytes())
}

fn right_aligned(bytes: &[u8]) -> Word {
    let mut word = [0; 32];
    for (out, byte) in word.iter_mut().rev().zip(bytes.iter().rev()) {
        *out = *byte;
    }
    word
}
