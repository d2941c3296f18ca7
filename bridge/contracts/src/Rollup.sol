// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox} from "./interfaces/IInbox.sol";
import {IRollup} from "./interfaces/IRollup.sol";
import {Merkle} from "./libraries/Merkle.sol";

/// @title Rollup
/// @notice See IRollup.
contract Rollup is IRollup {
    /// @dev Bounds what a validator must hold when confirmation stands still.
    uint64 internal constant MAXIMUM_UNCONFIRMED = 30;
    bytes32 internal constant WITHOUT_TAG = bytes32(type(uint256).max >> 8);

    struct Withdrawals {
        bytes32 root;
        uint64 count;
    }

    IInbox public immutable INBOX;
    uint64 public immutable EPOCH_SECONDS;
    uint64 public immutable WINDOW_SECONDS;
    uint32 public immutable VERSION;

    uint64 public sealedCount;
    uint64 public confirmedCount;
    uint64 public lastSealAt;
    bytes32 public confirmedRoot;

    mapping(uint64 epoch => bytes32) public inputHashOf;
    mapping(uint64 epoch => mapping(bytes32 parentRoot => Claim)) private _claims;
    mapping(uint64 epoch => mapping(bytes32 parentRoot => mapping(bytes32 commitment => bool)))
        private _proposed;
    mapping(uint64 epoch => mapping(bytes32 lastLeaf => bool)) private _lastLeaves;
    mapping(uint64 epoch => Withdrawals) private _withdrawals;

    constructor(
        IInbox inbox,
        bytes32 genesisRoot,
        uint32 version,
        uint64 epochSeconds,
        uint64 windowSeconds
    ) {
        if (address(inbox) == address(0) || epochSeconds == 0 || windowSeconds == 0) {
            revert Rollup_BadConfiguration();
        }
        _checkLive(genesisRoot);

        INBOX = inbox;
        VERSION = version;
        EPOCH_SECONDS = epochSeconds;
        WINDOW_SECONDS = windowSeconds;
        confirmedRoot = genesisRoot;
        lastSealAt = uint64(block.timestamp);
    }

    /// @inheritdoc IRollup
    function seal() external override returns (uint64 epoch) {
        epoch = sealedCount;
        uint256 earliest = uint256(lastSealAt) + EPOCH_SECONDS;
        if (block.timestamp < earliest) revert Rollup_EpochNotOver(block.timestamp, earliest);
        uint64 unconfirmed = epoch - confirmedCount;
        if (unconfirmed == MAXIMUM_UNCONFIRMED) revert Rollup_TooManyUnconfirmed(unconfirmed);

        IInbox.Snapshot memory inputs = INBOX.snapshot();
        bytes32 hash = _inputHash(inputs);
        sealedCount = epoch + 1;
        lastSealAt = uint64(block.timestamp);
        inputHashOf[epoch] = hash;
        emit EpochSealed(
            epoch,
            inputs.recordsRoot,
            inputs.recordsCount,
            inputs.directsRoot,
            inputs.directsCount,
            VERSION,
            hash
        );
    }

    /// @inheritdoc IRollup
    function propose(
        uint64 epoch,
        bytes32 parentRoot,
        bytes32 commitment,
        bytes32 lastLeaf,
        bytes32[21] calldata proof,
        bytes32 inputHash
    ) external override {
        _checkEpoch(epoch, inputHash);
        _checkParent(epoch, parentRoot);
        _checkLive(lastLeaf);
        bytes32 computed = Merkle.rootFromLast(lastLeaf, proof);
        if (computed != commitment) revert Rollup_LastLeafNotProven(computed, commitment);

        _record(epoch, parentRoot, commitment, lastLeaf);
        emit Proposed(epoch, parentRoot, commitment, lastLeaf, msg.sender);
    }

    /// @inheritdoc IRollup
    function confirm(uint64 epoch, bytes32[8] calldata header) external override {
        if (epoch != confirmedCount) revert Rollup_NotNext(epoch, confirmedCount);
        Claim storage claim = _claims[epoch][confirmedRoot];
        if (claim.claims == 0) revert Rollup_NothingProposed(epoch, confirmedRoot);
        if (claim.claims != 1) revert Rollup_Contested(epoch, claim.claims);
        uint256 end = uint256(claim.startedAt) + WINDOW_SECONDS;
        if (block.timestamp < end) revert Rollup_WindowOpen(block.timestamp, end);

        bytes32 lastLeaf = claim.lastLeaf;
        // The tag byte 00 (live) takes the place of the hash's first byte.
        bytes32 computed = Merkle.rootOfEight(header) & WITHOUT_TAG;
        if (computed != lastLeaf) revert Rollup_HeaderDiffers(computed, lastLeaf);

        uint64 count = _littleEndian64(header[3]);
        confirmedCount = epoch + 1;
        confirmedRoot = lastLeaf;
        _withdrawals[epoch] = Withdrawals({root: header[2], count: count});
        emit EpochConfirmed(epoch, lastLeaf, header[2], count);
    }

    /// @inheritdoc IRollup
    function claimOf(uint64 epoch, bytes32 parentRoot)
        external
        view
        override
        returns (Claim memory)
    {
        return _claims[epoch][parentRoot];
    }

    /// @inheritdoc IRollup
    function isProposed(uint64 epoch, bytes32 parentRoot, bytes32 commitment)
        external
        view
        override
        returns (bool)
    {
        return _proposed[epoch][parentRoot][commitment];
    }

    /// @inheritdoc IRollup
    function withdrawals(uint64 epoch)
        external
        view
        override
        returns (bytes32 root, uint64 count)
    {
        if (epoch >= confirmedCount) revert Rollup_EpochNotConfirmed(epoch);
        return (_withdrawals[epoch].root, _withdrawals[epoch].count);
    }

    function _record(uint64 epoch, bytes32 parentRoot, bytes32 commitment, bytes32 lastLeaf)
        internal
    {
        if (_proposed[epoch][parentRoot][commitment]) revert Rollup_AlreadyProposed(commitment);
        Claim storage claim = _claims[epoch][parentRoot];
        if (claim.claims == 0) {
            claim.startedAt = uint64(block.timestamp);
            claim.commitment = commitment;
            claim.lastLeaf = lastLeaf;
        } else {
            uint256 end = uint256(claim.startedAt) + WINDOW_SECONDS;
            if (block.timestamp >= end) revert Rollup_WindowOver(block.timestamp, end);
        }

        ++claim.claims;
        _proposed[epoch][parentRoot][commitment] = true;
        _lastLeaves[epoch][lastLeaf] = true;
    }

    function _checkEpoch(uint64 epoch, bytes32 inputHash) internal view {
        if (epoch >= sealedCount) revert Rollup_EpochNotSealed(epoch, sealedCount);
        if (epoch < confirmedCount) revert Rollup_EpochConfirmed(epoch);
        bytes32 current = inputHashOf[epoch];
        if (inputHash != current) revert Rollup_InputHashDiffers(inputHash, current);
    }

    /// @dev Once the epoch before is confirmed, its other last leaves are dead, and so is all under
    /// them.
    function _checkParent(uint64 epoch, bytes32 parentRoot) internal view {
        bool known = epoch == confirmedCount
            ? parentRoot == confirmedRoot
            : _lastLeaves[epoch - 1][parentRoot];
        if (!known) revert Rollup_ParentUnknown(epoch, parentRoot);
    }

    function _inputHash(IInbox.Snapshot memory inputs) internal view returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                inputs.recordsRoot,
                inputs.recordsCount,
                inputs.directsRoot,
                inputs.directsCount,
                VERSION
            )
        );
    }

    function _checkLive(bytes32 root) internal pure {
        if (root[0] != 0) revert Rollup_NotLive(root);
    }

    /// @dev The first eight bytes of a word of the transition, whose integers are little-endian.
    function _littleEndian64(bytes32 word) internal pure returns (uint64 value) {
        for (uint256 i = 0; i < 8; ++i) {
            value |= uint64(uint8(word[i])) << uint64(8 * i);
        }
    }
}
