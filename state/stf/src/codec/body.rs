//! The body of a batch: a directory of segment sizes, then the segments.
//!
//! In: the data of a batch, through a reader that need not hold all of it. Out: where each segment
//! lies.
//! Holds: a directory whose sizes do not sum to exactly the rest is no directory.
//! Not here: what is inside a segment.

use crate::error::Fault;
use crate::varint::{Broken, Reader, put_varint};
use alloc::vec::Vec;
use core::ops::Range;

/// Segments that one batch may have.
pub const MAX_SEGMENTS: usize = 4096;
/// The only version there is.
const VERSION: u8 = 1;
/// Bytes fetched at a time while the directory is read: the witness hands out words.
const WINDOW: u32 = 32;

/// The data of a batch, read where it is asked for (the guest fetches only the pages it touches).
pub trait Bytes {
    /// Bytes in all.
    fn size(&self) -> u32;
    /// Fills `out` from offset `at`; the caller stays inside `size`.
    fn read(&mut self, at: u32, out: &mut [u8]) -> Result<(), Fault>;
}

impl Bytes for &[u8] {
    fn size(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn read(&mut self, at: u32, out: &mut [u8]) -> Result<(), Fault> {
        let start = usize::try_from(at).map_err(|_| Fault::Misuse)?;
        let source = self.get(start..).and_then(|rest| rest.get(..out.len()));
        let source = source.ok_or(Fault::Misuse)?;
        for (to, from) in out.iter_mut().zip(source) {
            *to = *from;
        }
        Ok(())
    }
}

/// Where each segment lies in the data; None if the directory is bad, which empties the batch.
pub fn directory(data: &mut impl Bytes) -> Result<Option<Vec<Range<u32>>>, Fault> {
    let mut prefix = Prefix { data, at: 0, window: [0; WINDOW as usize], filled: 0, used: 0 };
    let Some(sizes) = prefix.sizes()? else { return Ok(None) };
    let total = prefix.data.size();
    let mut start = prefix.position();
    let mut ranges = Vec::with_capacity(sizes.len());
    for size in sizes {
        let Some(end) = start.checked_add(size).filter(|end| *end <= total) else {
            return Ok(None);
        };
        ranges.push(start..end);
        start = end;
    }
    Ok((start == total).then_some(ranges))
}

/// `directory` of data that is all there.
pub fn directory_of(data: &[u8]) -> Option<Vec<Range<u32>>> {
    let mut whole = data;
    directory(&mut whole).ok().flatten()
}

/// The body made of `segments`; None if they are more than a body may have.
pub fn encode_body(segments: &[Vec<u8>]) -> Option<Vec<u8>> {
    if segments.len() > MAX_SEGMENTS {
        return None;
    }
    let mut out = Vec::from([VERSION]);
    put_varint(&mut out, segments.len() as u64);
    for segment in segments {
        put_varint(&mut out, segment.len() as u64);
    }
    for segment in segments {
        out.extend_from_slice(segment);
    }
    Some(out)
}

/// The head of the data, fetched a window at a time.
struct Prefix<'a, B> {
    data: &'a mut B,
    /// Where the next window starts.
    at: u32,
    window: [u8; WINDOW as usize],
    filled: u32,
    used: u32,
}

impl<B: Bytes> Prefix<'_, B> {
    /// Offset of the next unread byte.
    fn position(&self) -> u32 {
        self.at.saturating_sub(self.filled).saturating_add(self.used)
    }

    /// Version, count and sizes; None if they do not read.
    fn sizes(&mut self) -> Result<Option<Vec<u32>>, Fault> {
        if self.byte()? != Some(VERSION) {
            return Ok(None);
        }
        let Some(count) = self.varint()? else { return Ok(None) };
        // Each size takes a byte at least, so the data bounds the memory too.
        let left = self.data.size().saturating_sub(self.position());
        let count = match usize::try_from(count) {
            Ok(count) if count <= MAX_SEGMENTS && count as u64 <= u64::from(left) => count,
            _ => return Ok(None),
        };
        let mut sizes = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(size) = self.varint()? else { return Ok(None) };
            let Ok(size) = u32::try_from(size) else { return Ok(None) };
            sizes.push(size);
        }
        Ok(Some(sizes))
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        if self.used == self.filled {
            let size = self.data.size().saturating_sub(self.at).min(WINDOW);
            let target = self.window.get_mut(..size as usize).ok_or(Fault::Misuse)?;
            self.data.read(self.at, target)?;
            self.at = self.at.saturating_add(size);
            (self.filled, self.used) = (size, 0);
        }
        if self.filled == 0 {
            return Ok(None);
        }
        let byte = self.window.get(self.used as usize).copied();
        self.used = self.used.saturating_add(1);
        Ok(byte)
    }

    fn varint(&mut self) -> Result<Option<u64>, Fault> {
        let (mut bytes, mut size) = ([0; 10], 0);
        for place in &mut bytes {
            let Some(byte) = self.byte()? else { return Ok(None) };
            *place = byte;
            size += 1;
            if byte < 0x80 {
                break;
            }
        }
        let read = bytes.get(..size).ok_or(Fault::Misuse)?;
        let value: Result<u64, Broken> = Reader::new(read).varint();
        Ok(value.ok())
    }
}
