// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IInbox} from "./IInbox.sol";
import {IRollup} from "./IRollup.sol";

/// @title IVault: holds the tokens
/// @notice Tokens come in by `deposit`, which queues a direct input, and leave by `claim`, which
/// proves a withdrawal of a confirmed epoch. There is no other way out and no key over them. Rules:
/// design/rollup.md 7.1; the withdrawal leaf: docs/formats.md §3.
interface IVault {
    /// @param index Its place in the rollup's withdrawals tree, over all epochs.
    /// @param account The rollup account that withdrew.
    /// @param amount Token units.
    /// @param recipient Who is paid on L1.
    struct Withdrawal {
        uint64 index;
        address account;
        address token;
        uint256 amount;
        address recipient;
    }

    /// @notice The token is not listed.
    error Vault_TokenNotListed(address token);
    /// @notice The token is listed already, and its unit never changes.
    error Vault_TokenListed(address token);
    /// @notice One token unit is between 1 and `maximum` times 1e-9 USD.
    error Vault_UnitOutOfRange(uint64 unitE9, uint64 maximum);
    /// @notice As many units as tokens.
    error Vault_ListsDiffer(uint256 tokens, uint256 units);
    /// @notice Only the timelock lists tokens.
    error Vault_NotTimelock(address sender, address timelock);
    /// @notice Nothing arrived.
    error Vault_NothingReceived(address token, uint256 asked);
    /// @notice A deposit is at most `maximum` token units: 2^96 times 1e-9 USD.
    error Vault_DepositTooLarge(uint256 amount, uint256 maximum);
    /// @notice Subaccounts have the numbers 0 to `maximum`.
    error Vault_SubaccountUnknown(uint32 subaccount, uint32 maximum);
    /// @notice The zero address has no account.
    error Vault_AccountZero();
    /// @notice The vault belongs to an inbox that names another vault: the deployment's order is
    /// wrong.
    error Vault_InboxNamesAnother(address vault, address named);
    /// @notice The confirmed epoch has only `count` withdrawals.
    error Vault_WithdrawalBeyond(uint64 index, uint64 count);
    /// @notice This withdrawal has been paid.
    error Vault_AlreadyClaimed(uint64 index);
    /// @notice The proof leads to another root than the confirmed one.
    error Vault_ProofInvalid(uint64 epoch, bytes32 computed, bytes32 confirmed);

    /// @notice `token` may be deposited; one unit of it is `unitE9` times 1e-9 USD.
    event TokenListed(address indexed token, uint64 unitE9);
    /// @notice `amount` token units arrived for `account`.
    event Deposited(
        address indexed payer,
        address indexed account,
        uint32 subaccount,
        address indexed token,
        uint256 amount,
        uint64 directIndex
    );
    /// @notice A withdrawal was paid.
    event Claimed(
        uint64 indexed index,
        address indexed account,
        address indexed recipient,
        address token,
        uint256 amount
    );

    /// @notice Lists a token. Only the timelock.
    /// @param unitE9 What one token unit is worth in 1e-9 USD: 1,000 for a dollar of 6 decimals. An
    /// integer, so every amount of the token is an exact multiple of the internal unit.
    function list(address token, uint64 unitE9) external;

    /// @notice Takes `amount` token units of the sender and credits what arrives to `account`.
    /// @return directIndex The direct input's index.
    function deposit(address token, uint256 amount, address account, uint32 subaccount)
        external
        returns (uint64 directIndex);

    /// @notice Pays a withdrawal, by anyone, once.
    /// @param epoch A confirmed epoch, the withdrawal's or any later one.
    /// @param proof Siblings under that epoch's withdrawals root, from the lowest level up.
    function claim(Withdrawal calldata withdrawal, uint64 epoch, bytes32[32] calldata proof)
        external;

    function INBOX() external view returns (IInbox);
    function ROLLUP() external view returns (IRollup);
    function TIMELOCK() external view returns (address);
    function L2_CHAIN_ID() external view returns (uint256);

    /// @notice What one unit of `token` is worth in 1e-9 USD; 0 = not listed.
    function unitE9Of(address token) external view returns (uint64);

    function claimed(uint64 index) external view returns (bool);

    /// @notice The leaf of a withdrawal in the rollup's withdrawals tree.
    function leafOf(Withdrawal calldata withdrawal) external view returns (bytes32);
}
