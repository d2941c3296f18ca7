//! Hashes of L1 records, against the vectors that the contracts are held to; typed digests.

use crate::Hashes;
use crate::json::Json;
use stf::eip712::{CommitGroup, commit_group_digest, report_digest};
use stf::l1::{
    EpochInput, Withdrawal, commitment_root, direct_leaf, header_root, input_hash, next_content,
    next_direct_hash, pack_direct, page_root, record_leaf, record_meta_of, record_meta_word,
    unpack_direct, withdrawal_leaf,
};
use stf::types::{Address, Direct, RecordMeta, Report, Word, ZERO};

/// The cases of one kind in the shared file; there must be some.
fn cases(kind: &str) -> Vec<Json> {
    let cases = Json::file("l1_hashes.json").get(kind).list().to_vec();
    println!("{} {kind}", cases.len());
    assert!(!cases.is_empty());
    cases
}

/// The data of a batch of `size` bytes: its rule is in the file's note.
fn data_of(size: u32) -> Vec<u8> {
    (0..size).map(|i| (31 * i + 17 * (i >> 8) + 7).to_le_bytes()[0]).collect()
}

#[test]
fn pages_have_the_roots_that_l1_computes() {
    for case in cases("pages") {
        let data = data_of(case.get("bytes").number());
        assert_eq!(page_root(&data, &mut Hashes), Some(case.get("root").array()));
    }
    assert_eq!(page_root(&vec![1; 128 * 1024 + 1], &mut Hashes), None);
}

#[test]
fn records_and_their_chain_have_the_hashes_that_l1_computes() {
    let mut content = ZERO;
    for case in cases("records") {
        let meta = RecordMeta {
            batch: case.get("kind").number::<u8>() == 1,
            length: case.get("bytes").number(),
            t_first_ms: case.get("t_first").number(),
            t_last_ms: case.get("t_last").number(),
            direct_to: case.get("direct_to").number(),
        };
        assert_eq!(record_meta_of(&record_meta_word(&meta)), Some(meta));
        let data = data_of(meta.length);
        let root = if meta.batch { page_root(&data, &mut Hashes).unwrap() } else { ZERO };
        assert_eq!(root, case.get("page_root").array());
        let leaf = record_leaf(&meta, &root, &mut Hashes);
        assert_eq!(leaf, case.get("leaf").array());
        content = next_content(&content, &leaf, &mut Hashes);
        assert_eq!(content, case.get("content").array());
    }
}

#[test]
fn a_meta_word_of_no_record_is_refused() {
    let mut word = ZERO;
    assert_eq!(record_meta_of(&word), None);
    word[0] = 3;
    assert_eq!(record_meta_of(&word), None);
    (word[0], word[2]) = (1, 1);
    assert_eq!(record_meta_of(&word), None);
}

#[test]
fn direct_inputs_and_their_chain_have_the_hashes_that_l1_computes() {
    let mut chain = ZERO;
    for case in cases("directs") {
        let direct = Direct {
            kind: case.get("kind").number(),
            sender: Address(case.get("sender").array()),
            index: case.get("index").number(),
            time_ms: case.get("time_ms").number(),
            data: case.get("data").bytes(),
        };
        assert_eq!(unpack_direct(&pack_direct(&direct)), Some(direct.clone()));
        let leaf = direct_leaf(&direct, &mut Hashes);
        assert_eq!(leaf, case.get("leaf").array());
        chain = next_direct_hash(&chain, &leaf, &mut Hashes);
        assert_eq!(chain, case.get("running_hash").array());
    }
    assert_eq!(unpack_direct(&[1; 36]), None);
    assert_eq!(unpack_direct(&[1; 37 + 1025]), None);
}

#[test]
fn withdrawals_and_epochs_have_the_hashes_that_l1_computes() {
    for case in cases("withdrawals") {
        let withdrawal = Withdrawal {
            index: case.get("index").number(),
            chain_id: case.get("chain_id").number(),
            vault: Address(case.get("vault").array()),
            owner: Address(case.get("account").array()),
            token: Address(case.get("token").array()),
            amount: case.get("amount").text().parse().unwrap(),
            recipient: Address(case.get("recipient").array()),
        };
        assert_eq!(withdrawal_leaf(&withdrawal, &mut Hashes), case.get("leaf").array());
    }
    for case in cases("input_hashes") {
        let epoch = EpochInput {
            records_root: case.get("records_root").array(),
            records_count: case.get("records_count").number(),
            directs_root: case.get("directs_root").array(),
            directs_count: case.get("directs_count").number(),
            version: case.get("version").number(),
        };
        assert_eq!(input_hash(&epoch, &mut Hashes), case.get("input_hash").array());
    }
}

#[test]
fn headers_and_commitments_have_the_roots_that_l1_computes() {
    for case in cases("headers") {
        let words: Vec<Word> = case.get("words").list().iter().map(Json::array).collect();
        let words = words.try_into().unwrap();
        assert_eq!(header_root(&words, &mut Hashes), case.get("root").array());
    }
    for case in cases("commitments") {
        let roots: Vec<Word> = case.get("roots").list().iter().map(Json::array).collect();
        assert_eq!(commitment_root(&roots, &mut Hashes), Some(case.get("root").array()));
    }
    assert_eq!(commitment_root(&[], &mut Hashes), None);
}

#[test]
fn typed_digests_are_those_of_eth_account() {
    let file = Json::file("eip712.json");
    let reports = file.get("reports").list();
    for case in reports {
        let report = Report {
            feed: case.get("feed").number(),
            price_e9: case.get("price_e9").number(),
            time_ms: case.get("time_ms").number(),
            signature: [0; 64],
        };
        let inbox = Address(case.get("inbox").array());
        let digest = report_digest(&report, case.get("chain_id").number(), &inbox, &mut Hashes);
        assert_eq!(digest, case.get("digest").array());
    }
    let groups = file.get("commit_groups").list();
    for case in groups {
        let group = CommitGroup {
            term: case.get("term").number(),
            first_seq: case.get("first_seq").number(),
            count: case.get("count").number(),
            receipts_root: case.get("receipts_root").array(),
            previous: case.get("previous").array(),
        };
        let inbox = Address(case.get("inbox").array());
        let digest =
            commit_group_digest(&group, case.get("chain_id").number(), &inbox, &mut Hashes);
        assert_eq!(digest, case.get("digest").array());
    }
    assert!(!reports.is_empty() && !groups.is_empty());
}
