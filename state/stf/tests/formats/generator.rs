//! Random blocks, from a seed.

use std::collections::BTreeMap;
use stf::envelope::type2_form;
use stf::types::{
    Address, Block, Body, Envelope, Form, Input, Operation, Place, Report, Signer, TimeInForce,
};

/// xorshift64*: enough to scatter cases, the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    /// From `NOVATION_SEED` if given, else `seed`; printed, so that a failure can be repeated.
    pub(crate) fn from_seed(seed: u64) -> Self {
        let given = std::env::var("NOVATION_SEED").ok().and_then(|text| text.parse().ok());
        let seed: u64 = given.unwrap_or(seed);
        println!("NOVATION_SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn number_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.number().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// Any width of number is as likely as any other.
    pub(crate) fn number(&mut self) -> u64 {
        let shift = self.next() % 65;
        self.next().checked_shr(u32::try_from(shift).unwrap()).unwrap_or(0)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[3])
    }

    fn market(&mut self) -> u32 {
        if self.chance(90) { u32::try_from(self.below(3)).unwrap() } else { self.number_u32() }
    }

    /// A price or quantity: often round, sometimes zero, sometimes anything.
    fn amount(&mut self) -> u64 {
        match self.below(4) {
            0 => self.number(),
            1 => 0,
            _ => (self.next() % 100_000) * 10_u64.pow(u32::try_from(self.below(13)).unwrap()),
        }
    }

    fn operation(&mut self) -> Operation {
        match self.below(8) {
            0 => Operation::Cancel { market: self.market(), client_id: self.number() },
            1 => Operation::CancelById { order_id: self.number() },
            2 => Operation::Replace {
                market: self.market(),
                client_id: self.number(),
                price_e9: self.amount(),
                qty_e9: self.amount(),
            },
            3 => {
                let market = self.market();
                let named = self.chance(50) && market != u32::MAX;
                Operation::CancelAll { market: named.then_some(market) }
            }
            4 => Operation::Withdraw {
                token: Address(self.bytes()),
                amount: u128::from(self.number()) << (self.next() % 65),
                recipient: Address(self.bytes()),
            },
            _ => Operation::Place(Place {
                market: self.market(),
                buy: self.chance(50),
                price_e9: self.amount(),
                qty_e9: self.amount(),
                tif: if self.chance(80) { TimeInForce::Gtc } else { TimeInForce::Ioc },
                post_only: self.chance(30),
                client_id: self.number(),
            }),
        }
    }

    pub(crate) fn form(&mut self) -> Form {
        match self.below(3) {
            0 => Form::Type2Default,
            1 => type2_form(self.number(), self.number(), self.number()),
            _ => Form::Legacy { gas_price: self.number(), gas: self.number() },
        }
    }

    /// An envelope whose signature has a lawful form, if no signer.
    pub(crate) fn envelope(&mut self, account: u32, nonce: u64) -> Envelope {
        let batch = self.chance(50);
        let most = if self.chance(5) { 64 } else { 6 };
        let count = if batch { 1 + self.below(most) } else { 1 };
        let mut signature: [u8; 64] = self.bytes();
        signature[0] &= 0x7f;
        signature[32] &= 0xbf;
        Envelope {
            form: self.form(),
            account,
            nonce,
            subaccount: if self.chance(80) { 0 } else { self.number_u32() },
            batch,
            operations: (0..count).map(|_| self.operation()).collect(),
            signature,
        }
    }

    fn report(&mut self, time_ms: u64) -> Report {
        Report {
            feed: u32::try_from(self.below(4)).unwrap(),
            price_e9: self.amount(),
            time_ms: time_ms.wrapping_sub(self.number()),
            signature: self.bytes(),
        }
    }

    pub(crate) fn block(&mut self, time_ms: u64, direct_to: u64) -> Block {
        let bound = if self.chance(5) { 257 } else { 12 };
        let count = self.below(bound);
        let mut nonces: BTreeMap<u32, u64> = BTreeMap::new();
        let inputs = (0..count).map(|_| {
            let body = if self.chance(15) {
                Body::Report(self.report(time_ms))
            } else {
                let account = if self.chance(80) {
                    1 + u32::from(self.chance(50))
                } else {
                    self.number_u32()
                };
                let expected = nonces.get(&account).map_or(0, |last| last.wrapping_add(1));
                let nonce = if self.chance(80) { expected } else { self.number() };
                nonces.insert(account, nonce);
                Body::Envelope(self.envelope(account, nonce))
            };
            Input { body, signer: Signer::Unknown }
        });
        let inputs = inputs.collect();
        Block { time_ms, direct_to, inputs }
    }
}
