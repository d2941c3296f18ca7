//! Envelopes that eth-account signed, refusals by name, segments that the Python encoder wrote,
//! reasons.

use crate::Hashes;
use crate::json::Json;
use stf::codec::{decode_segment, encode_segment};
use stf::envelope::{decode_transaction, raw_transaction, signing_digest, type2_form};
use stf::error::Reject;
use stf::hash::keccak256;
use stf::types::{
    Address, Block, Body, Envelope, Form, Input, Operation, Place, Report, Signer, TimeInForce,
};

fn form(json: &Json) -> Form {
    match json.get("type").text() {
        "default" => Form::Type2Default,
        "type2" => type2_form(
            json.get("tip").number(),
            json.get("max_fee").number(),
            json.get("gas").number(),
        ),
        "legacy" => Form::Legacy {
            gas_price: json.get("gas_price").number(),
            gas: json.get("gas").number(),
        },
        other => panic!("no such form: {other}"),
    }
}

fn operation(json: &Json) -> Operation {
    let market = || json.get("market").number();
    let client_id = || json.get("client_id").number();
    let amounts = || (json.get("price_e9").number(), json.get("qty_e9").number());
    match json.get("kind").text() {
        "place" => Operation::Place(Place {
            market: market(),
            buy: json.get("buy").bool(),
            price_e9: amounts().0,
            qty_e9: amounts().1,
            tif: if json.get("ioc").bool() { TimeInForce::Ioc } else { TimeInForce::Gtc },
            post_only: json.get("post_only").bool(),
            client_id: client_id(),
        }),
        "cancel" => Operation::Cancel { market: market(), client_id: client_id() },
        "cancel_by_id" => Operation::CancelById { order_id: json.get("order_id").number() },
        "replace" => {
            let (price_e9, qty_e9) = amounts();
            Operation::Replace { market: market(), client_id: client_id(), price_e9, qty_e9 }
        }
        "cancel_all" => {
            Operation::CancelAll { market: (*json.get("market") != Json::Null).then(market) }
        }
        "withdraw" => Operation::Withdraw {
            token: Address(json.get("token").array()),
            amount: json.get("amount").text().parse().unwrap(),
            recipient: Address(json.get("recipient").array()),
        },
        other => panic!("no such operation: {other}"),
    }
}

fn envelope(json: &Json) -> Envelope {
    Envelope {
        form: form(json.get("form")),
        account: json.get("account").number(),
        nonce: json.get("nonce").number(),
        subaccount: json.get("subaccount").number(),
        batch: json.get("batch").bool(),
        operations: json.get("operations").list().iter().map(operation).collect(),
        signature: json.get("signature").array(),
    }
}

fn input(json: &Json) -> Input {
    let body = match json.get("kind").text() {
        "envelope" => Body::Envelope(envelope(json)),
        "report" => Body::Report(Report {
            feed: json.get("feed").number(),
            price_e9: json.get("price_e9").number(),
            time_ms: json.get("time_ms").number(),
            signature: json.get("signature").array(),
        }),
        other => panic!("no such input: {other}"),
    };
    Input { body, signer: Signer::Unknown }
}

#[test]
fn what_eth_account_signs_decodes_to_its_fields_and_back() {
    let file = Json::file("envelopes.json");
    let cases = file.get("accepted").list();
    for case in cases {
        let name = case.get("name").text();
        let chain_id = case.get("chain_id").number();
        let raw = case.get("raw").bytes();
        let decoded = decode_transaction(&raw, chain_id).unwrap_or_else(|why| {
            panic!("{name}: {}", why.slug());
        });
        assert_eq!(decoded.envelope, envelope(case.get("envelope")), "{name}");
        assert_eq!(keccak256(&decoded.payload), case.get("digest").array(), "{name}");
        let digest = signing_digest(&decoded.envelope, chain_id, &mut Hashes);
        assert_eq!(digest, case.get("digest").array(), "{name}");
        assert_eq!(raw_transaction(&decoded.envelope, chain_id), raw, "{name}");
        assert_eq!(keccak256(&raw), case.get("hash").array(), "{name}");
    }
    println!("{} envelopes", cases.len());
    assert!(cases.len() >= 12);
}

#[test]
fn each_mistake_in_an_envelope_has_its_own_refusal() {
    let file = Json::file("envelopes.json");
    let cases = file.get("refused").list();
    let mut reasons = std::collections::BTreeSet::new();
    for case in cases {
        let decoded = decode_transaction(&case.get("raw").bytes(), case.get("chain_id").number());
        let reason = decoded.err().map(Reject::slug);
        assert_eq!(reason, Some(case.get("reason").text()), "{}", case.get("name").text());
        reasons.insert(case.get("reason").text());
    }
    println!("{} refusals, {} reasons", cases.len(), reasons.len());
    // Who signed, and with which nonce, is known to the state only; see `ops`.
    for reason in Reject::ALL.iter().filter(|reason| **reason as u16 <= 17) {
        let of_state = [Reject::SignerUnknown, Reject::NonceTooLow];
        assert!(of_state.contains(reason) || reasons.contains(reason.slug()), "{reason:?}");
    }
}

#[test]
fn segments_are_the_bytes_that_python_wrote() {
    let file = Json::file("segments.json");
    let cases = file.get("good").list();
    for case in cases {
        let name = case.get("name").text();
        let block = Block {
            time_ms: case.get("time_ms").number(),
            direct_to: case.get("direct_to").number(),
            inputs: case.get("inputs").list().iter().map(input).collect(),
        };
        let (t_first, header_to) =
            (case.get("t_first_ms").number(), case.get("header_direct_to").number());
        let bytes = case.get("bytes").bytes();
        assert_eq!(encode_segment(&block, t_first, header_to), Some(bytes.clone()), "{name}");
        assert_eq!(decode_segment(&bytes, t_first, header_to), Some(block), "{name}");
    }
    println!("{} segments", cases.len());
    assert!(cases.len() >= 20);
}

#[test]
fn segments_that_python_finds_bad_are_bad() {
    let file = Json::file("segments.json");
    let cases = file.get("bad").list();
    for case in cases {
        let (t_first, header_to) =
            (case.get("t_first_ms").number(), case.get("header_direct_to").number());
        let decoded = decode_segment(&case.get("bytes").bytes(), t_first, header_to);
        assert_eq!(decoded, None, "{}", case.get("name").text());
    }
    assert!(cases.len() >= 10);
}

#[test]
fn reasons_have_the_numbers_and_names_of_the_shared_list() {
    let file = Json::file("errors.json");
    let listed: Vec<(u16, String, String)> = file
        .get("errors")
        .list()
        .iter()
        .filter(|error| error.get("group").text() != "node") // a node's own, from 400 on
        .map(|error| {
            let number = error.get("number").number();
            let text = |key: &str| error.get(key).text().to_owned();
            (number, text("slug"), text("name"))
        })
        .collect();
    let ours: Vec<(u16, String, String)> = Reject::ALL
        .iter()
        .map(|reason| (*reason as u16, reason.slug().to_owned(), format!("{reason:?}Error")))
        .collect();
    assert_eq!(ours, listed);
}
