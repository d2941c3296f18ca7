//! A segment: one block, column by column.
//!
//! In: bytes of a segment and two numbers of its batch's header. Out: a block; and back.
//! Holds: decoding is total; a segment that encodes differently is bad, so a block has one segment.
//! Not here: each column (`columns`).

use super::columns;
use crate::operations::MAX_OPERATIONS;
use crate::types::{Block, Body, Envelope};
use crate::varint::{Broken, Reader, put_varint};
use alloc::vec::Vec;

/// Inputs of one block.
pub const MAX_INPUTS: usize = 256;

/// The segment of a block. None if the block has none: its time lies before the batch, its
/// `direct_to` behind the header's, or a count is out of bounds.
pub fn encode_segment(block: &Block, t_first_ms: u64, header_direct_to: u64) -> Option<Vec<u8>> {
    let time = block.time_ms.checked_sub(t_first_ms)?;
    let direct = header_direct_to.checked_sub(block.direct_to)?;
    if block.inputs.len() > MAX_INPUTS || !columns::envelopes(&block.inputs).all(is_lawful) {
        return None;
    }
    let mut out = Vec::new();
    put_varint(&mut out, time);
    put_varint(&mut out, direct);
    put_varint(&mut out, block.inputs.len() as u64);
    columns::encode(&mut out, block);
    Some(out)
}

fn is_lawful(envelope: &Envelope) -> bool {
    let count = envelope.operations.len();
    if envelope.batch { (1..=MAX_OPERATIONS).contains(&count) } else { count == 1 }
}

/// The block of a segment; None if the segment is bad.
pub fn decode_segment(bytes: &[u8], t_first_ms: u64, header_direct_to: u64) -> Option<Block> {
    let block = read(bytes, t_first_ms, header_direct_to).ok()?;
    let again = encode_segment(&block, t_first_ms, header_direct_to)?;
    (again == bytes).then_some(block)
}

fn read(bytes: &[u8], t_first_ms: u64, header_direct_to: u64) -> Result<Block, Broken> {
    let mut reader = Reader::new(bytes);
    let time_ms = t_first_ms.checked_add(reader.varint()?).ok_or(Broken::NotCanonical)?;
    let direct_to = header_direct_to.checked_sub(reader.varint()?).ok_or(Broken::NotCanonical)?;
    let count = usize::try_from(reader.varint()?).map_err(|_| Broken::NotCanonical)?;
    if count > MAX_INPUTS {
        return Err(Broken::NotCanonical);
    }
    let mut block = Block { time_ms, direct_to, inputs: Vec::new() };
    columns::decode(&mut reader, &mut block, count)?;
    if reader.remaining() == 0 { Ok(block) } else { Err(Broken::NotCanonical) }
}

/// The signature of an input, wherever it is.
pub(super) fn signature(body: &Body) -> &[u8; 64] {
    match body {
        Body::Envelope(envelope) => &envelope.signature,
        Body::Report(report) => &report.signature,
    }
}
