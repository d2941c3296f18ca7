// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title IExchange: the exchange as wallets and libraries see it on L2
/// @notice No contract implements this. The node takes envelopes to the exchange address with this
/// ABI, answers the views from its state, and writes receipts as these events. Rules:
/// docs/formats.md §5 and §7, design/trading.md. Prices, quantities and money are integers of 1e-9
/// (`E9`), rates of 1e-6 (`Ppm`).
interface IExchange {
    /// @notice A place applied: what filled at once, and what rests.
    event OrderPlaced(
        address indexed owner,
        uint32 subaccount,
        uint32 indexed market,
        bool buy,
        uint64 indexed orderId,
        uint64 clientId,
        uint64 priceE9,
        uint64 qtyE9,
        uint64 filledE9,
        uint64 openE9
    );
    /// @notice An order left the book unfilled.
    /// @param qtyE9 What was open.
    /// @param reason 0 = asked for; else the reason number of docs/formats.md §9.
    event OrderCancelled(
        address indexed owner,
        uint32 subaccount,
        uint32 indexed market,
        uint64 indexed orderId,
        uint64 clientId,
        uint64 qtyE9,
        uint16 reason
    );
    /// @notice An order got a new price or open quantity.
    event OrderReplaced(
        address indexed owner,
        uint32 subaccount,
        uint32 indexed market,
        bool buy,
        uint64 indexed orderId,
        uint64 clientId,
        uint64 priceE9,
        uint64 qtyE9,
        uint64 filledE9,
        uint64 openE9
    );
    /// @notice Two orders met, at the maker's price. A negative fee is a rebate.
    event Trade(
        uint32 indexed market,
        bool takerBuy,
        uint64 priceE9,
        uint64 qtyE9,
        address indexed maker,
        uint32 makerSubaccount,
        uint64 makerOrderId,
        address indexed taker,
        uint32 takerSubaccount,
        uint64 takerOrderId,
        int128 makerFeeE9,
        int128 takerFeeE9
    );
    /// @notice An operation of the envelope changed nothing.
    /// @param code The operation's code (docs/formats.md §4, column 7).
    event OperationRejected(uint8 code, uint16 reason);
    /// @notice A deposit of L1 was credited.
    event Deposited(
        address indexed owner, uint32 subaccount, int128 amountE9, uint64 indexed directIndex
    );
    /// @notice A withdrawal can be claimed on L1 once its epoch is confirmed.
    event Withdrawn(
        address indexed owner,
        uint32 subaccount,
        uint64 indexed index,
        address token,
        uint128 amount,
        address recipient,
        int128 amountE9
    );
    /// @notice A reporter's price was taken.
    event ReportAccepted(uint32 indexed feed, uint8 reporter, uint64 priceE9, uint64 timeMs);
    /// @notice A governance input was applied.
    event Governed(uint8 op);

    /// @notice Places a limit order.
    /// @param tif 0 good till cancelled, 1 immediate or cancel.
    /// @param flags Bit 0: post only.
    function placeOrder(
        uint32 subaccount,
        uint32 market,
        bool buy,
        uint64 priceE9,
        uint64 qtyE9,
        uint8 tif,
        uint8 flags,
        uint64 clientId
    ) external;

    /// @notice Cancels the order with the owner's `clientId`.
    function cancelOrder(uint32 subaccount, uint32 market, uint64 clientId) external;

    /// @notice Cancels an order by the id that the exchange gave it.
    function cancelOrderById(uint32 subaccount, uint64 orderId) external;

    /// @notice Gives an order a new price and open quantity; it keeps its id, and its place in the
    /// queue if only the quantity falls.
    function replaceOrder(
        uint32 subaccount,
        uint32 market,
        uint64 clientId,
        uint64 priceE9,
        uint64 qtyE9
    ) external;

    /// @notice Cancels all orders of a market; 0xffffffff = of every market.
    function cancelAll(uint32 subaccount, uint32 market) external;

    /// @notice Withdraws `amount` token units (below 2^128) to an L1 address.
    function withdraw(uint32 subaccount, address token, uint256 amount, address to) external;

    /// @notice 1 to 64 operations in the packed form of docs/formats.md §5.
    function batch(uint32 subaccount, bytes calldata operations) external;

    /// @notice An account; `index` 0 = the address has none.
    function account(address owner) external view returns (uint32 index, uint64 nonce);

    /// @notice A subaccount; `freeE9` is what could back another order, or be withdrawn.
    function subaccount(address owner, uint32 number)
        external
        view
        returns (
            int256 balanceE9,
            int256 equityE9,
            uint256 initialMarginE9,
            uint256 maintenanceMarginE9,
            int256 freeE9,
            uint32 openOrders
        );

    /// @notice A position; `sizeE9` is negative for a short.
    function position(address owner, uint32 number, uint32 market)
        external
        view
        returns (int64 sizeE9, int256 entryValueE9, int256 unrealisedE9);

    /// @notice An open order; `orderId` 0 = there is none.
    function openOrder(address owner, uint32 number, uint64 clientId)
        external
        view
        returns (
            uint64 orderId,
            uint32 market,
            bool buy,
            uint64 priceE9,
            uint64 openE9,
            uint64 placedE9,
            bool postOnly
        );

    /// @notice Zero where a side, the mark or the index is missing.
    function bookTop(uint32 market)
        external
        view
        returns (
            uint64 bidPriceE9,
            uint64 bidQtyE9,
            uint64 askPriceE9,
            uint64 askQtyE9,
            uint64 markE9,
            uint64 indexE9
        );

    /// @notice A market. `state`: 0 open, 1 reduce-only, 2 halted; `fresh`: the index has a quorum
    /// of recent reports.
    function market(uint32 number)
        external
        view
        returns (
            string memory name,
            uint8 state,
            uint32 feed,
            uint64 tickE9,
            uint64 lotE9,
            uint64 minNotionalE9,
            uint32 imfPpm,
            uint32 mmfPpm,
            int32 makerFeePpm,
            uint32 takerFeePpm,
            uint32 bandPpm,
            uint32 openOrders,
            uint64 openInterestE9,
            uint64 lastE9,
            uint64 markE9,
            uint64 indexE9,
            uint64 indexTimeMs,
            bool fresh
        );
}
