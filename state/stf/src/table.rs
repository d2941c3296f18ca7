//! One kind of record, decoded, in memory: pages of 64 that exist once written.
//!
//! In: reads and edits by index. Out: references; what was changed since it was last asked for.
//! Holds: a read of what was never written costs nothing; every record is in the undo log at most
//! once between two checkpoints and in the dirty list at most once between two takings.
//! Not here: which kinds there are (`ram`), hashing (`tree`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::Fault;
use crate::store::Record;

/// Records of a page: one bit each in a u64.
const PAGE_BITS: u32 = 6;
const PAGE: usize = 1 << PAGE_BITS;
/// Pages of a directory: with 2^9, the top of the deepest kind (2^36) has at most 2^21 entries.
const DIRECTORY_BITS: u32 = 9;
const DIRECTORY: usize = 1 << DIRECTORY_BITS;

struct Page<R> {
    records: [R; PAGE],
    /// Changed since `take_dirty`.
    dirty: u64,
    /// In the undo log, if `logged_in` is the current checkpoint.
    logged: u64,
    logged_in: u64,
}

impl<R: Record> Page<R> {
    fn new() -> Self {
        Self { records: [R::default(); PAGE], dirty: 0, logged: 0, logged_in: 0 }
    }
}

type Directory<R> = [Option<Box<Page<R>>>; DIRECTORY];

/// All records of one kind.
pub(crate) struct Table<R> {
    top: Vec<Option<Box<Directory<R>>>>,
    absent: R,
    undo: Vec<(u64, R)>,
    dirty: Vec<u64>,
}

/// Place of a record: directory, page, bit.
struct Place {
    directory: usize,
    page: usize,
    record: usize,
}

impl Place {
    fn of<R: Record>(index: u64) -> Result<Self, Fault> {
        if index >> R::DEPTH != 0 {
            return Err(Fault::IndexRange);
        }
        // On a target of 32 bits the deepest index still fits after the shift.
        let directory = usize::try_from(index >> (PAGE_BITS + DIRECTORY_BITS));
        let page = usize::try_from((index >> PAGE_BITS) % DIRECTORY as u64);
        let record = usize::try_from(index % PAGE as u64);
        match (directory, page, record) {
            (Ok(directory), Ok(page), Ok(record)) => Ok(Self { directory, page, record }),
            _ => Err(Fault::IndexRange),
        }
    }
}

impl<R: Record> Default for Table<R> {
    fn default() -> Self {
        Self { top: Vec::new(), absent: R::default(), undo: Vec::new(), dirty: Vec::new() }
    }
}

impl<R: Record> Table<R> {
    /// The record at `index`.
    pub(crate) fn get(&self, index: u64) -> Result<&R, Fault> {
        let place = Place::of::<R>(index)?;
        let directory = self.top.get(place.directory).and_then(Option::as_deref);
        let page = directory.and_then(|pages| pages.get(place.page)).and_then(Option::as_deref);
        Ok(page.and_then(|page| page.records.get(place.record)).unwrap_or(&self.absent))
    }

    /// The same, to change it: logged once per `checkpoint` (a number that grows), marked dirty.
    pub(crate) fn edit(&mut self, index: u64, checkpoint: u64) -> Result<&mut R, Fault> {
        let place = Place::of::<R>(index)?;
        let page = page_mut(&mut self.top, &place)?;
        let record = page.records.get_mut(place.record).ok_or(Fault::IndexRange)?;
        let bit = 1 << place.record;
        if page.dirty & bit == 0 {
            page.dirty |= bit;
            self.dirty.push(index);
        }
        if page.logged_in != checkpoint {
            page.logged_in = checkpoint;
            page.logged = 0;
        }
        if page.logged & bit == 0 {
            page.logged |= bit;
            self.undo.push((index, *record));
        }
        Ok(record)
    }

    /// Writes a record that is already on disk: neither logged nor dirty.
    pub(crate) fn load(&mut self, index: u64, value: R) -> Result<(), Fault> {
        let place = Place::of::<R>(index)?;
        let page = page_mut(&mut self.top, &place)?;
        *page.records.get_mut(place.record).ok_or(Fault::IndexRange)? = value;
        Ok(())
    }

    /// Forgets the undo log.
    pub(crate) fn forget(&mut self) {
        self.undo.clear();
    }

    /// Undoes what the log holds, and forgets it.
    pub(crate) fn undo(&mut self) {
        while let Some((index, old)) = self.undo.pop() {
            // What was logged has a page.
            let done = self.load(index, old);
            debug_assert!(done.is_ok());
        }
    }

    /// Indices edited since the last call, in order of their first edit.
    pub(crate) fn take_dirty(&mut self) -> Vec<u64> {
        let dirty = core::mem::take(&mut self.dirty);
        for index in &dirty {
            if let Ok(page) = Place::of::<R>(*index).and_then(|at| page_mut(&mut self.top, &at)) {
                page.dirty = 0;
            }
        }
        dirty
    }

    /// Every record that is present, in order.
    pub(crate) fn present(&self) -> impl Iterator<Item = (u64, &R)> {
        let absent = R::default();
        let directories =
            (0u64..).zip(&self.top).filter_map(|(at, entry)| Some((at, entry.as_deref()?)));
        let pages = directories.flat_map(|(at, pages)| {
            let first = at << DIRECTORY_BITS;
            (first..).zip(pages).filter_map(|(at, entry)| Some((at, entry.as_deref()?)))
        });
        pages
            .flat_map(|(at, page)| ((at << PAGE_BITS)..).zip(&page.records))
            .filter(move |(_, record)| **record != absent)
    }
}

/// The page of `place`, made if it is missing.
fn page_mut<'a, R: Record>(
    top: &'a mut Vec<Option<Box<Directory<R>>>>,
    place: &Place,
) -> Result<&'a mut Page<R>, Fault> {
    if place.directory >= top.len() {
        top.resize_with(place.directory + 1, || None);
    }
    let directory = top.get_mut(place.directory).ok_or(Fault::IndexRange)?;
    let directory = directory.get_or_insert_with(|| Box::new([const { None }; DIRECTORY]));
    let entry = directory.get_mut(place.page).ok_or(Fault::IndexRange)?;
    Ok(entry.get_or_insert_with(|| Box::new(Page::new())))
}
