// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {IInbox} from "./interfaces/IInbox.sol";
import {IRollup} from "./interfaces/IRollup.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Merkle} from "./libraries/Merkle.sol";

/// @title Vault
/// @notice See IVault.
contract Vault is IVault, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @dev Far above any supply, far below the 128 bits of the transition's sums.
    uint256 internal constant MAXIMUM_DEPOSIT_E9 = 2 ** 96;
    uint64 internal constant MAXIMUM_UNIT_E9 = 1e18;
    uint32 internal constant MAXIMUM_SUBACCOUNT = 15;

    IInbox public immutable INBOX;
    IRollup public immutable ROLLUP;
    address public immutable TIMELOCK;
    uint256 public immutable L2_CHAIN_ID;

    mapping(address token => uint64) public unitE9Of;
    mapping(uint256 word => uint256) private _claimed;

    constructor(
        IInbox inbox,
        IRollup rollup,
        address timelock,
        uint256 l2ChainId,
        address[] memory tokens,
        uint64[] memory unitsE9
    ) {
        if (inbox.VAULT() != address(this)) {
            revert Vault_InboxNamesAnother(address(this), inbox.VAULT());
        }
        if (tokens.length != unitsE9.length) {
            revert Vault_ListsDiffer(tokens.length, unitsE9.length);
        }

        INBOX = inbox;
        ROLLUP = rollup;
        TIMELOCK = timelock;
        L2_CHAIN_ID = l2ChainId;
        for (uint256 i = 0; i < tokens.length; ++i) {
            _list(tokens[i], unitsE9[i]);
        }
    }

    /// @inheritdoc IVault
    function list(address token, uint64 unitE9) external override {
        if (msg.sender != TIMELOCK) revert Vault_NotTimelock(msg.sender, TIMELOCK);
        _list(token, unitE9);
    }

    /// @inheritdoc IVault
    function deposit(address token, uint256 amount, address account, uint32 subaccount)
        external
        override
        nonReentrant
        returns (uint64 directIndex)
    {
        uint64 unitE9 = unitE9Of[token];
        if (unitE9 == 0) revert Vault_TokenNotListed(token);
        if (account == address(0)) revert Vault_AccountZero();
        if (subaccount > MAXIMUM_SUBACCOUNT) {
            revert Vault_SubaccountUnknown(subaccount, MAXIMUM_SUBACCOUNT);
        }

        uint256 received = _take(token, amount);
        if (received > MAXIMUM_DEPOSIT_E9 / unitE9) {
            revert Vault_DepositTooLarge(received, MAXIMUM_DEPOSIT_E9 / unitE9);
        }
        directIndex =
            INBOX.deposit(account, subaccount, token, uint128(received * unitE9), msg.sender);
        emit Deposited(msg.sender, account, subaccount, token, received, directIndex);
    }

    /// @inheritdoc IVault
    function claim(Withdrawal calldata withdrawal, uint64 epoch, bytes32[32] calldata proof)
        external
        override
        nonReentrant
    {
        uint64 index = withdrawal.index;
        (bytes32 root, uint64 count) = ROLLUP.withdrawals(epoch);
        if (index >= count) revert Vault_WithdrawalBeyond(index, count);
        if (claimed(index)) revert Vault_AlreadyClaimed(index);
        bytes32 computed = Merkle.rootFrom(leafOf(withdrawal), index, proof);
        if (computed != root) revert Vault_ProofInvalid(epoch, computed, root);

        _claimed[index >> 8] |= 1 << (index & 0xff);
        emit Claimed(
            index, withdrawal.account, withdrawal.recipient, withdrawal.token, withdrawal.amount
        );
        IERC20(withdrawal.token).safeTransfer(withdrawal.recipient, withdrawal.amount);
    }

    /// @inheritdoc IVault
    function claimed(uint64 index) public view override returns (bool) {
        return (_claimed[index >> 8] >> (index & 0xff)) & 1 == 1;
    }

    /// @inheritdoc IVault
    function leafOf(Withdrawal calldata withdrawal) public view override returns (bytes32) {
        bytes32[8] memory words;
        words[0] = bytes32(uint256(withdrawal.index));
        words[1] = bytes32(L2_CHAIN_ID);
        words[2] = _word(address(this));
        words[3] = _word(withdrawal.account);
        words[4] = _word(withdrawal.token);
        words[5] = bytes32(withdrawal.amount);
        words[6] = _word(withdrawal.recipient);
        return Merkle.rootOfEight(words);
    }

    function _list(address token, uint64 unitE9) internal {
        if (unitE9Of[token] != 0) revert Vault_TokenListed(token);
        if (unitE9 == 0 || unitE9 > MAXIMUM_UNIT_E9) {
            revert Vault_UnitOutOfRange(unitE9, MAXIMUM_UNIT_E9);
        }
        unitE9Of[token] = unitE9;
        emit TokenListed(token, unitE9);
    }

    /// @dev What arrives counts, not what was asked for: some tokens keep a fee.
    function _take(address token, uint256 amount) internal returns (uint256 received) {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        received = IERC20(token).balanceOf(address(this)) - before;
        if (received == 0) revert Vault_NothingReceived(token, amount);
    }

    function _word(address value) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(value)));
    }
}
