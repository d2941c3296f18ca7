//! The three endings: applied is a value, `Reject` is the user's affair, `Fault` is ours.
//!
//! Numbers go on the wire and into receipts: append, never renumber. One name in three languages:
//! `Reject::NonceTooLow` = `nonce_too_low` = `NonceTooLowError`; the list is docs/formats.md §9.

macro_rules! rejects {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $slug:literal;)*) => {
        /// Why an input or an operation was refused. The state is as if it had never come, but for
        /// the nonce rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Reject { $($(#[$doc])* $name = $number,)* }

        impl Reject {
            /// Every reason, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The same name in snake case.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }
        }
    };
}

rejects! {
    /// Not an RLP transaction.
    Malformed = 1, "malformed";
    /// Signed for another chain.
    WrongChainId = 2, "wrong_chain_id";
    /// Not sent to the exchange address.
    WrongRecipient = 3, "wrong_recipient";
    /// Carries value.
    ValueNotZero = 4, "value_not_zero";
    /// Carries an access list.
    AccessListNotEmpty = 5, "access_list_not_empty";
    /// Another encoding of the same meaning exists.
    NonCanonicalEncoding = 6, "non_canonical_encoding";
    /// No such function.
    UnknownSelector = 7, "unknown_selector";
    /// The signature recovers to nobody.
    SignatureInvalid = 8, "signature_invalid";
    /// The signature's s is in the upper half.
    SignatureHighS = 9, "signature_high_s";
    /// The signer has no account, or not the one named.
    SignerUnknown = 10, "signer_unknown";
    /// Nonce already used.
    NonceTooLow = 11, "nonce_too_low";
    /// Nonce ahead of the account's.
    NonceTooHigh = 12, "nonce_too_high";
    /// Not 1 to 64 operations.
    TooManyOperations = 13, "too_many_operations";
    /// A fee field over 64 bits.
    FeeFieldTooLarge = 14, "fee_field_too_large";
    /// Not type 0 or 2.
    UnsupportedTxType = 15, "unsupported_tx_type";
    /// Type 0 without EIP-155.
    NotReplayProtected = 16, "not_replay_protected";
    /// A withdrawal over 128 bits.
    AmountTooLarge = 17, "amount_too_large";
    /// No such market.
    MarketUnknown = 100, "market_unknown";
    /// The market is halted.
    MarketHalted = 101, "market_halted";
    /// Price is not a multiple of the tick, or out of the book's range.
    PriceWrongTick = 102, "price_wrong_tick";
    /// Quantity is zero or not a multiple of the lot.
    QtyWrongLot = 103, "qty_wrong_lot";
    /// Order value below the market's minimum.
    NotionalTooSmall = 104, "notional_too_small";
    /// Price outside the band around mark.
    PriceOutOfBand = 105, "price_out_of_band";
    /// A post-only order would have taken.
    PostOnlyWouldCross = 106, "post_only_would_cross";
    /// Equity below the initial margin of the result.
    MarginInsufficient = 107, "margin_insufficient";
    /// No open order with that id.
    OrderNotFound = 108, "order_not_found";
    /// An open order has that client id.
    ClientIdInUse = 109, "client_id_in_use";
    /// 256 orders are open.
    TooManyOpenOrders = 110, "too_many_open_orders";
    /// 32 positions are open.
    TooManyPositions = 111, "too_many_positions";
    /// A number left its range.
    Overflow = 112, "overflow";
    /// No such subaccount.
    SubaccountUnknown = 113, "subaccount_unknown";
    /// Time in force not offered.
    TifUnsupported = 114, "tif_unsupported";
    /// Flag not offered.
    FlagsUnsupported = 115, "flags_unsupported";
    /// Less quote than asked for can leave.
    BalanceInsufficient = 116, "balance_insufficient";
    /// Amount is zero or does not fit the unit.
    AmountDoesNotFit = 117, "amount_does_not_fit";
    /// Token not listed.
    TokenUnknown = 118, "token_unknown";
    /// Only reductions are taken (stale price, or by governance).
    MarketReduceOnly = 119, "market_reduce_only";
    /// The envelope's budget of work is used up.
    TooHeavy = 120, "too_heavy";
    /// Both orders belong to one owner: the maker is cancelled.
    SelfTrade = 121, "self_trade";
    /// 64 fills are reached: the rest is cancelled.
    FillLimit = 122, "fill_limit";
    /// The rest of an immediate-or-cancel order.
    IocRemainder = 123, "ioc_remainder";
    /// The maker could not carry the fill.
    MakerMargin = 124, "maker_margin";
    /// All orders were voided by `advance`.
    BookVoided = 125, "book_voided";
    /// Price is zero.
    PriceZero = 126, "price_zero";
    /// A reducing order stopped where it would no longer reduce risk.
    ReduceStopped = 127, "reduce_stopped";
    /// Not signed by a reporter.
    ReporterUnknown = 200, "reporter_unknown";
    /// Not newer than the reporter's last.
    ReportOlder = 201, "report_older";
    /// Observed after the block's time.
    ReportFromFuture = 202, "report_from_future";
    /// No such feed.
    FeedUnknown = 203, "feed_unknown";
    /// Direct input's data has the wrong form.
    DirectMalformed = 300, "direct_malformed";
    /// Governance parameters out of range.
    GovernanceInvalid = 301, "governance_invalid";
    /// Direct input of a kind not yet offered.
    DirectUnsupported = 302, "direct_unsupported";
}

/// Our mistake, or data that no lawful run can meet: stop, keep everything, page a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A record, page or preimage that must exist does not.
    Missing,
    /// A stored value contradicts an invariant.
    Corrupt,
    /// A table index outside its tree.
    IndexRange,
    /// The caller broke the order of calls.
    Misuse,
}

/// Why an operation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The user's affair.
    Reject(Reject),
    /// Ours.
    Fault(Fault),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
