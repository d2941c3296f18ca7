//! Codec 1: what a batch on L1 carries (docs/formats.md §4).
//!
//! In: bytes of a batch, or blocks. Out: blocks, or bytes.
//! Holds: total and canonical: whatever decodes re-encodes to the same bytes, and memory follows
//! the input.
//! Not here: pages and hashes of a batch (`l1`), what a bad segment leads to (`machine`).

mod body;
mod columns;
mod operation_columns;
mod segment;

pub use body::{Bytes, MAX_SEGMENTS, directory, directory_of, encode_body};
pub use segment::{MAX_INPUTS, decode_segment, encode_segment};
