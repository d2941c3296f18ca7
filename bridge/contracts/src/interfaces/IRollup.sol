// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IInbox} from "./IInbox.sol";

/// @title IRollup: epochs, what is claimed about them, and what is confirmed
/// @notice `seal` fixes what an epoch is about, `propose` claims its chunk roots, `confirm` accepts
/// the only claim under the confirmed parent once its window is over. A second, different claim is
/// recorded and blocks confirmation; nothing here decides between them. Rules: design/rollup.md
/// 2.5, 5.1, 5.2, 5.7; hashes: docs/formats.md §2 and §3. Times are seconds.
interface IRollup {
    /// @notice What is claimed about one epoch under one parent.
    /// @param startedAt When the first claim came; 0 = none yet.
    /// @param claims How many different commitments stand.
    /// @param commitment The first one, and `lastLeaf` its last chunk root.
    struct Claim {
        uint64 startedAt;
        uint64 claims;
        bytes32 commitment;
        bytes32 lastLeaf;
    }

    /// @notice The epoch is not over before `earliest`.
    error Rollup_EpochNotOver(uint256 timestamp, uint256 earliest);
    /// @notice So many epochs wait for confirmation that no other can be sealed.
    error Rollup_TooManyUnconfirmed(uint64 unconfirmed);
    /// @notice Only `sealedCount` epochs are sealed.
    error Rollup_EpochNotSealed(uint64 epoch, uint64 sealedCount);
    /// @notice The epoch is confirmed: nothing more can be claimed.
    error Rollup_EpochConfirmed(uint64 epoch);
    /// @notice The epoch is not confirmed.
    error Rollup_EpochNotConfirmed(uint64 epoch);
    /// @notice Epochs confirm in order, and `next` is the next one.
    error Rollup_NotNext(uint64 epoch, uint64 next);
    /// @notice The claim is about other inputs than those sealed: L1 was reorganised.
    error Rollup_InputHashDiffers(bytes32 given, bytes32 current);
    /// @notice Nobody claimed this root for the epoch before, or another one was confirmed.
    error Rollup_ParentUnknown(uint64 epoch, bytes32 parentRoot);
    /// @notice The proof leads to another commitment.
    error Rollup_LastLeafNotProven(bytes32 computed, bytes32 commitment);
    /// @notice A root begins with the tag byte 00 (live).
    error Rollup_NotLive(bytes32 root);
    /// @notice Claims were taken before `end`.
    error Rollup_WindowOver(uint256 timestamp, uint256 end);
    /// @notice Claims are taken until `end`.
    error Rollup_WindowOpen(uint256 timestamp, uint256 end);
    /// @notice Just this is claimed already: nothing needs to be done.
    error Rollup_AlreadyProposed(bytes32 commitment);
    /// @notice Nothing is claimed under the confirmed parent.
    error Rollup_NothingProposed(uint64 epoch, bytes32 parentRoot);
    /// @notice Different claims stand: the epoch cannot be confirmed.
    error Rollup_Contested(uint64 epoch, uint64 claims);
    /// @notice The header is not that of the claimed root.
    error Rollup_HeaderDiffers(bytes32 computed, bytes32 lastLeaf);
    /// @notice The inbox cannot be the zero address, nor a duration zero.
    error Rollup_BadConfiguration();

    /// @notice What epoch `epoch` is about.
    event EpochSealed(
        uint64 indexed epoch,
        bytes32 recordsRoot,
        uint64 recordsCount,
        bytes32 directsRoot,
        uint64 directsCount,
        uint32 version,
        bytes32 inputHash
    );
    /// @notice A commitment was claimed.
    event Proposed(
        uint64 indexed epoch,
        bytes32 indexed parentRoot,
        bytes32 indexed commitment,
        bytes32 lastLeaf,
        address claimant
    );
    /// @notice Withdrawals of the epoch, and of all before it, can be claimed from the vault.
    event EpochConfirmed(
        uint64 indexed epoch, bytes32 root, bytes32 withdrawalsRoot, uint64 withdrawalsCount
    );

    /// @notice Fixes what the next epoch is about, by anyone, once `EPOCH_SECONDS` after the last
    /// time.
    /// @return epoch Its number: dense, from zero.
    function seal() external returns (uint64 epoch);

    /// @notice Claims `commitment` for an epoch that begins at `parentRoot`.
    /// @param parentRoot Genesis for epoch 0, the confirmed root if the epoch before is confirmed,
    /// else the last leaf of any claim about the epoch before.
    /// @param lastLeaf The commitment's leaf 2^21 - 1, which `proof` shows.
    /// @param inputHash The epoch's input hash as the claimant saw it.
    function propose(
        uint64 epoch,
        bytes32 parentRoot,
        bytes32 commitment,
        bytes32 lastLeaf,
        bytes32[21] calldata proof,
        bytes32 inputHash
    ) external;

    /// @notice Accepts the only claim about the next epoch, by anyone, after its window.
    /// @param header The eight words of which the claimed last leaf is the root; words 2 and 3 name
    /// the withdrawals.
    function confirm(uint64 epoch, bytes32[8] calldata header) external;

    function INBOX() external view returns (IInbox);
    function EPOCH_SECONDS() external view returns (uint64);
    function WINDOW_SECONDS() external view returns (uint64);

    /// @notice The version of the transition that new epochs are judged by.
    function VERSION() external view returns (uint32);

    /// @notice Epochs before this one are sealed.
    function sealedCount() external view returns (uint64);

    /// @notice Epochs before this one are confirmed.
    function confirmedCount() external view returns (uint64);

    /// @notice The root after the last confirmed epoch; genesis at first.
    function confirmedRoot() external view returns (bytes32);

    /// @notice When the last epoch was sealed; at first, when this contract was made.
    function lastSealAt() external view returns (uint64);

    /// @notice Hash of what `epoch` is about; zero if it is not sealed.
    function inputHashOf(uint64 epoch) external view returns (bytes32);

    /// @notice What is claimed about `epoch` under `parentRoot`.
    function claimOf(uint64 epoch, bytes32 parentRoot) external view returns (Claim memory);

    /// @notice Whether `commitment` is claimed about `epoch` under `parentRoot`.
    function isProposed(uint64 epoch, bytes32 parentRoot, bytes32 commitment)
        external
        view
        returns (bool);

    /// @notice The withdrawals tree after a confirmed epoch.
    function withdrawals(uint64 epoch) external view returns (bytes32 root, uint64 count);
}
