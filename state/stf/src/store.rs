//! The state as the transition sees it: typed records by index.
//!
//! In: `Record` types of `records/`. Out: traits that `ram` (native) and `witness` (guest)
//! implement.
//! Holds: an absent record reads as `Default`; writing `Default` makes it absent again. Between
//! `checkpoint` and `rollback` every edit is undone. Neither side knows of the other.
//! Not here: hashing (`tree`), disk.

use crate::error::Fault;
use crate::records::{
    Account, AddressNode, Chain, ClientIds, Level, Market, Order, Position, ReportRecord, Reporter,
    Subaccount, Taker, Ticks, WithdrawalFrontier,
};
use crate::types::Word;

/// A fixed list of words with a place in the tree (docs/formats.md §1).
pub trait Record: Copy + Default + PartialEq {
    /// Kind number: the place under the top tree.
    const KIND: u16;
    /// Depth of the kind's tree.
    const DEPTH: u32;
    /// Number of words, at most 32.
    const WORDS: usize;
    /// Writes all `WORDS` words of `out`, which come in as zero.
    fn encode(&self, out: &mut [Word]);
    /// Reads what `encode` wrote.
    fn decode(words: &[Word]) -> Self;
}

/// Access to the records of one kind.
pub trait Access<R: Record> {
    /// The record at `index`, `Default` if absent.
    ///
    /// # Errors
    /// `Fault::IndexRange` past the tree; in the guest `Fault::Missing`.
    fn get(&mut self, index: u64) -> Result<&R, Fault>;
    /// The same, to change it: marked dirty, undone by `rollback`.
    ///
    /// # Errors
    /// As `get`.
    fn edit(&mut self, index: u64) -> Result<&mut R, Fault>;
}

/// All records, and the undo log of the operation that runs.
pub trait Store:
    Access<Chain>
    + Access<Account>
    + Access<AddressNode>
    + Access<Subaccount>
    + Access<Position>
    + Access<Market>
    + Access<Order>
    + Access<Level>
    + Access<Ticks>
    + Access<ClientIds>
    + Access<Reporter>
    + Access<ReportRecord>
    + Access<WithdrawalFrontier>
    + Access<Taker>
{
    /// Starts an operation: forgets older undo entries.
    fn checkpoint(&mut self);
    /// Undoes every edit since `checkpoint`.
    fn rollback(&mut self);

    /// The record of type `R` at `index`.
    ///
    /// # Errors
    /// As `Access::get`.
    fn read<R: Record>(&mut self, index: u64) -> Result<&R, Fault>
    where
        Self: Access<R>,
    {
        Access::<R>::get(self, index)
    }

    /// The record of type `R` at `index`, to change it.
    ///
    /// # Errors
    /// As `Access::edit`.
    fn write<R: Record>(&mut self, index: u64) -> Result<&mut R, Fault>
    where
        Self: Access<R>,
    {
        Access::<R>::edit(self, index)
    }
}

impl<R: Record, S: Access<R>> Access<R> for &mut S {
    fn get(&mut self, index: u64) -> Result<&R, Fault> {
        (**self).get(index)
    }

    fn edit(&mut self, index: u64) -> Result<&mut R, Fault> {
        (**self).edit(index)
    }
}

impl<S: Store> Store for &mut S {
    fn checkpoint(&mut self) {
        (**self).checkpoint();
    }

    fn rollback(&mut self) {
        (**self).rollback();
    }
}
