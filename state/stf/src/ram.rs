//! The store of native code: every record decoded in memory.
//!
//! In: edits by the transition; records from disk. Out: references; the records changed since they
//! were last asked for, encoded.
//! Holds: see `table`. Checkpoints are numbered over all kinds.
//! Not here: disk, hashing.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::Fault;
use crate::records::{
    Account, AddressNode, Chain, ClientIds, Level, Market, Order, Position, ReportRecord, Reporter,
    Subaccount, Taker, Ticks, WithdrawalFrontier,
};
use crate::store::{Access, Record, Store};
use crate::table::Table;
use crate::types::{Word, ZERO};

/// A record as bytes: kind, index, its words; no bytes = absent.
pub type Row = (u16, u64, Vec<u8>);

/// The words of a record as bytes; nothing for one that is absent.
pub fn to_bytes<R: Record>(record: &R) -> Vec<u8> {
    if *record == R::default() {
        return Vec::new();
    }
    let mut words = vec![ZERO; R::WORDS];
    record.encode(&mut words);
    words.concat()
}

/// Reads what `to_bytes` wrote.
///
/// # Errors
/// `Fault::Corrupt` for a wrong length, or for bytes that no record encodes to.
pub fn from_bytes<R: Record>(bytes: &[u8]) -> Result<R, Fault> {
    if bytes.is_empty() {
        return Ok(R::default());
    }
    let (words, rest): (&[Word], _) = bytes.as_chunks();
    if words.len() != R::WORDS || !rest.is_empty() {
        return Err(Fault::Corrupt);
    }
    let record = R::decode(words);
    let mut again = vec![ZERO; R::WORDS];
    record.encode(&mut again);
    if again == words && record != R::default() { Ok(record) } else { Err(Fault::Corrupt) }
}

macro_rules! ram_store {
    ($($field:ident: $record:ty,)*) => {
        /// All records, in memory.
        #[derive(Default)]
        pub struct RamStore {
            checkpoint: u64,
            $($field: Table<$record>,)*
        }

        $(impl Access<$record> for RamStore {
            fn get(&mut self, index: u64) -> Result<&$record, Fault> {
                self.$field.get(index)
            }

            fn edit(&mut self, index: u64) -> Result<&mut $record, Fault> {
                self.$field.edit(index, self.checkpoint)
            }
        })*

        impl Store for RamStore {
            fn checkpoint(&mut self) {
                self.checkpoint += 1;
                $(self.$field.forget();)*
            }

            fn rollback(&mut self) {
                self.checkpoint += 1;
                $(self.$field.undo();)*
            }
        }

        impl RamStore {
            /// The record at `index` of `kind`, encoded; no bytes = absent.
            ///
            /// # Errors
            /// `Fault::IndexRange` for a kind or index that does not exist.
            pub fn record(&self, kind: u16, index: u64) -> Result<Vec<u8>, Fault> {
                match kind {
                    $(<$record>::KIND => Ok(to_bytes(self.$field.get(index)?)),)*
                    _ => Err(Fault::IndexRange),
                }
            }

            /// Puts in a record from disk: not dirty.
            ///
            /// # Errors
            /// `Fault::IndexRange` for a place that does not exist, `Fault::Corrupt` for bytes of
            /// no record.
            pub fn load(&mut self, kind: u16, index: u64, bytes: &[u8]) -> Result<(), Fault> {
                match kind {
                    $(<$record>::KIND => self.$field.load(index, from_bytes(bytes)?),)*
                    _ => Err(Fault::IndexRange),
                }
            }

            /// The records edited since the last call, each once, kind by kind.
            pub fn take_dirty(&mut self) -> Vec<Row> {
                let mut rows = Vec::new();
                $(for index in self.$field.take_dirty() {
                    let record = self.$field.get(index).copied().unwrap_or_default();
                    rows.push((<$record>::KIND, index, to_bytes(&record)));
                })*
                rows
            }

            /// Every record that is present, kind by kind, in order of index.
            pub fn present(&self) -> impl Iterator<Item = Row> {
                let rows = core::iter::empty();
                $(let rows = rows.chain(self.$field.present().map(|(index, record)| {
                    (<$record>::KIND, index, to_bytes(record))
                }));)*
                rows
            }
        }
    };
}

ram_store! {
    chain: Chain,
    accounts: Account,
    address_nodes: AddressNode,
    subaccounts: Subaccount,
    positions: Position,
    markets: Market,
    orders: Order,
    levels: Level,
    ticks: Ticks,
    client_ids: ClientIds,
    reporters: Reporter,
    reports: ReportRecord,
    withdrawals: WithdrawalFrontier,
    taker: Taker,
}

impl RamStore {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_record_reads_as_default_anywhere_in_its_tree() {
        let mut store = RamStore::new();
        assert_eq!(store.read::<Order>((1 << 36) - 1), Ok(&Order::default()));
        assert_eq!(store.read::<Order>(1 << 36), Err(Fault::IndexRange));
        assert_eq!(store.write::<Chain>(1).err(), Some(Fault::IndexRange));
        assert_eq!(store.present().count(), 0);
    }

    #[test]
    fn rollback_restores_every_record_edited_since_the_checkpoint() -> Result<(), Fault> {
        let mut store = RamStore::new();
        store.write::<Account>(7)?.nonce = 1;
        store.checkpoint();
        for nonce in 2..9 {
            store.write::<Account>(7)?.nonce = nonce;
            store.write::<Level>(nonce << 30)?.open_e9 = nonce;
        }
        store.rollback();
        assert_eq!(store.read::<Account>(7)?.nonce, 1);
        assert_eq!(store.present().count(), 1);
        store.write::<Account>(7)?.nonce = 5;
        store.checkpoint();
        store.rollback();
        assert_eq!(store.read::<Account>(7)?.nonce, 5);
        Ok(())
    }

    #[test]
    fn each_dirty_record_is_handed_out_once_with_its_newest_value() -> Result<(), Fault> {
        let mut store = RamStore::new();
        for round in 1..=3 {
            for index in [5u64, 1 << 35, 64, 5] {
                store.write::<Order>(index)?.open_e9 = round * index;
            }
            let rows = store.take_dirty();
            assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [5, 1 << 35, 64]);
            for (kind, index, bytes) in rows {
                assert_eq!((kind, from_bytes::<Order>(&bytes)?.open_e9), (6, round * index));
            }
        }
        store.write::<Order>(64)?.open_e9 = 0;
        assert_eq!(store.take_dirty(), [(6, 64, Vec::new())]);
        assert!(store.take_dirty().is_empty());
        Ok(())
    }

    #[test]
    fn what_is_present_can_be_loaded_into_another_store() -> Result<(), Fault> {
        let mut store = RamStore::new();
        store.write::<Subaccount>(16)?.exists = true;
        store.write::<ClientIds>(3)?.ids[63] = 9;
        store.write::<Market>(1)?.name[0] = b'E';
        let rows: Vec<Row> = store.present().collect();
        let mut other = RamStore::new();
        for (kind, index, bytes) in &rows {
            other.load(*kind, *index, bytes)?;
        }
        assert_eq!(other.present().collect::<Vec<_>>(), rows);
        assert!(other.take_dirty().is_empty());
        Ok(())
    }

    #[test]
    fn bytes_that_no_record_encodes_to_are_corrupt() {
        let mut store = RamStore::new();
        assert_eq!(store.load(3, 16, &[1; 255]), Err(Fault::Corrupt));
        assert_eq!(store.load(1, 1, &[0; 64]), Err(Fault::Corrupt));
        assert_eq!(store.load(1, 1, &[255; 64]), Err(Fault::Corrupt));
        assert_eq!(store.load(14, 0, &[]), Err(Fault::IndexRange));
        assert_eq!(store.record(5, 1 << 12), Err(Fault::IndexRange));
    }
}
