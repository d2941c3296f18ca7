//! What L1 hashes: records, pages, direct inputs, withdrawals, epochs, chunk roots.
//!
//! In: records and inputs. Out: the words that the contracts compute from the same data.
//! Holds: docs/formats.md §2 and §3; big-endian, because Ethereum looks.
//! Not here: the state tree (`tree`), the incremental tree (`incremental`).

use crate::merkle;
use crate::platform::Platform;
use crate::records::HEADER_WORDS;
use crate::types::{Address, Direct, RecordMeta, Word, ZERO};
use crate::varint::{Broken, Reader};
use alloc::vec::Vec;

/// Bytes of a page.
pub const PAGE_BYTES: usize = 1024;
/// Depth of the tree over the pages of a batch.
pub const PAGE_DEPTH: u32 = 7;
/// Most bytes of a batch.
pub const MAX_BATCH_BYTES: u32 = 117_956;
/// Most bytes of a direct input's data.
pub const MAX_DIRECT_BYTES: usize = 1024;
/// Depth of the tree over the chunk roots of an epoch.
pub const COMMITMENT_DEPTH: u32 = 21;

const BATCH: u8 = 1;
const ADVANCE: u8 = 2;

/// The meta word of a record.
pub fn record_meta_word(meta: &RecordMeta) -> Word {
    join(&[
        &[if meta.batch { BATCH } else { ADVANCE }, 0, 0, 0],
        &meta.length.to_be_bytes(),
        &meta.t_first_ms.to_be_bytes(),
        &meta.t_last_ms.to_be_bytes(),
        &meta.direct_to.to_be_bytes(),
    ])
}

/// Reads a meta word; None if no record has it.
pub fn record_meta_of(word: &Word) -> Option<RecordMeta> {
    let mut reader = Reader::new(word);
    let batch = match reader.array::<4>().ok()? {
        [BATCH, 0, 0, 0] => true,
        [ADVANCE, 0, 0, 0] => false,
        _ => return None,
    };
    Some(RecordMeta {
        batch,
        length: u32::from_be_bytes(reader.array().ok()?),
        t_first_ms: u64::from_be_bytes(reader.array().ok()?),
        t_last_ms: u64::from_be_bytes(reader.array().ok()?),
        direct_to: u64::from_be_bytes(reader.array().ok()?),
    })
}

/// The leaf of a record; `page_root` is zero for an advance.
pub fn record_leaf(meta: &RecordMeta, page_root: &Word, platform: &mut impl Platform) -> Word {
    platform.hash64(&record_meta_word(meta), page_root)
}

/// The content chain after one more record.
pub fn next_content(content: &Word, record_leaf: &Word, platform: &mut impl Platform) -> Word {
    platform.hash64(content, record_leaf)
}

/// The hash of each page of a batch's data.
pub fn page_hashes(data: &[u8], platform: &mut impl Platform) -> Vec<Word> {
    let mut hashes = Vec::with_capacity(data.len().div_ceil(PAGE_BYTES));
    for chunk in data.chunks(PAGE_BYTES) {
        let mut page = [0; PAGE_BYTES];
        for (to, from) in page.iter_mut().zip(chunk) {
            *to = *from;
        }
        hashes.push(platform.keccak256(&page));
    }
    hashes
}

/// The root over the pages of a batch's data; None if there are more than 128.
pub fn page_root(data: &[u8], platform: &mut impl Platform) -> Option<Word> {
    let hashes = page_hashes(data, platform);
    (hashes.len() <= 1 << PAGE_DEPTH).then(|| merkle::root(&hashes, PAGE_DEPTH, platform))
}

/// The preimage of a direct input's leaf.
pub fn pack_direct(direct: &Direct) -> Vec<u8> {
    let mut out = Vec::with_capacity(37 + direct.data.len());
    out.push(direct.kind);
    out.extend_from_slice(&direct.sender.0);
    out.extend_from_slice(&direct.index.to_be_bytes());
    out.extend_from_slice(&direct.time_ms.to_be_bytes());
    out.extend_from_slice(&direct.data);
    out
}

/// Opens the preimage of a leaf; None if it is too short or too long.
pub fn unpack_direct(bytes: &[u8]) -> Option<Direct> {
    let mut reader = Reader::new(bytes);
    let (kind, sender, index, time_ms) = direct_head(&mut reader).ok()?;
    let data = reader.take(reader.remaining()).ok()?;
    if data.len() > MAX_DIRECT_BYTES {
        return None;
    }
    Some(Direct { kind, sender, index, time_ms, data: data.to_vec() })
}

fn direct_head(reader: &mut Reader) -> Result<(u8, Address, u64, u64), Broken> {
    let kind = reader.byte()?;
    let sender = Address(reader.array()?);
    let index = u64::from_be_bytes(reader.array()?);
    let time_ms = u64::from_be_bytes(reader.array()?);
    Ok((kind, sender, index, time_ms))
}

/// The leaf of a direct input.
pub fn direct_leaf(direct: &Direct, platform: &mut impl Platform) -> Word {
    platform.keccak256(&pack_direct(direct))
}

/// The chain of direct inputs after one more.
pub fn next_direct_hash(hash: &Word, leaf: &Word, platform: &mut impl Platform) -> Word {
    platform.hash64(hash, leaf)
}

/// What may be claimed on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its place in the withdrawals tree.
    pub index: u64,
    /// Chain id of the L2.
    pub chain_id: u64,
    /// Who pays it out.
    pub vault: Address,
    /// Whose account it left.
    pub owner: Address,
    /// Token on L1.
    pub token: Address,
    /// Token units.
    pub amount: u128,
    /// Who receives it.
    pub recipient: Address,
}

/// The leaf of a withdrawal.
pub fn withdrawal_leaf(withdrawal: &Withdrawal, platform: &mut impl Platform) -> Word {
    let leaves = [
        right_aligned(&withdrawal.index.to_be_bytes()),
        right_aligned(&withdrawal.chain_id.to_be_bytes()),
        right_aligned(&withdrawal.vault.0),
        right_aligned(&withdrawal.owner.0),
        right_aligned(&withdrawal.token.0),
        right_aligned(&withdrawal.amount.to_be_bytes()),
        right_aligned(&withdrawal.recipient.0),
        ZERO,
    ];
    merkle::root(&leaves, 3, platform)
}

/// What an epoch is about: all records and direct inputs up to the counts that `seal` fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochInput {
    /// Root of the records tree.
    pub records_root: Word,
    /// Records in it.
    pub records_count: u64,
    /// Root of the direct inputs tree.
    pub directs_root: Word,
    /// Direct inputs in it.
    pub directs_count: u64,
    /// Program version.
    pub version: u32,
}

/// The input hash of an epoch.
pub fn input_hash(epoch: &EpochInput, platform: &mut impl Platform) -> Word {
    let mut bytes = Vec::with_capacity(84);
    bytes.extend_from_slice(&epoch.records_root);
    bytes.extend_from_slice(&epoch.records_count.to_be_bytes());
    bytes.extend_from_slice(&epoch.directs_root);
    bytes.extend_from_slice(&epoch.directs_count.to_be_bytes());
    bytes.extend_from_slice(&epoch.version.to_be_bytes());
    platform.keccak256(&bytes)
}

/// The chunk root of a header: the tree over its words, tagged live.
pub fn header_root(words: &[Word; HEADER_WORDS], platform: &mut impl Platform) -> Word {
    let mut root = merkle::root(words, 3, platform);
    root[0] = 0;
    root
}

/// The commitment over the chunk roots of an epoch, the last one repeated to the end; None if there
/// is none, or more than the tree has leaves.
pub fn commitment_root(chunk_roots: &[Word], platform: &mut impl Platform) -> Option<Word> {
    if chunk_roots.len() as u64 > 1 << COMMITMENT_DEPTH {
        return None;
    }
    // What stands right of the last chunk, at the height reached so far.
    let mut repeated = *chunk_roots.last()?;
    let mut level = chunk_roots.to_vec();
    for _ in 0..COMMITMENT_DEPTH {
        let mut above = Vec::with_capacity(level.len().div_ceil(2));
        for pair in level.chunks(2) {
            let left = pair.first().unwrap_or(&repeated);
            above.push(platform.hash64(left, pair.get(1).unwrap_or(&repeated)));
        }
        repeated = platform.hash64(&repeated, &repeated);
        level = above;
    }
    level.first().copied()
}

fn right_aligned(bytes: &[u8]) -> Word {
    let mut word = ZERO;
    for (to, from) in word.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    word
}

/// A word from pieces that are 32 bytes together.
fn join(pieces: &[&[u8]]) -> Word {
    let mut word = ZERO;
    for (to, from) in word.iter_mut().zip(pieces.iter().copied().flatten()) {
        *to = *from;
    }
    word
}
