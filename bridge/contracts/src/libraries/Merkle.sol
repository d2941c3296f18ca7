// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Merkle: the binary keccak trees of docs/formats.md
/// @notice A node is keccak256 of its two children. Depth is always fixed, so the position tells a
/// leaf from a node. Plain Solidity: one pair costs some 250 gas, which no caller here notices.
library Merkle {
    /// @notice Levels of an epoch's commitment over chunk roots.
    uint256 internal constant COMMITMENT_HEIGHT = 21;

    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encode(left, right));
    }

    /// @notice Root of the tree over eight words.
    function rootOfEight(bytes32[8] memory words) internal pure returns (bytes32) {
        return pair(
            pair(pair(words[0], words[1]), pair(words[2], words[3])),
            pair(pair(words[4], words[5]), pair(words[6], words[7]))
        );
    }

    /// @notice Root of the tree of depth 32 in which `leaf` stands at `index`.
    /// @param proof The siblings, from the lowest level up.
    function rootFrom(bytes32 leaf, uint256 index, bytes32[32] calldata proof)
        internal
        pure
        returns (bytes32 node)
    {
        node = leaf;
        for (uint256 height = 0; height < 32; ++height) {
            bool isLeft = (index >> height) & 1 == 0;
            node = isLeft ? pair(node, proof[height]) : pair(proof[height], node);
        }
    }

    /// @notice Root of the commitment (height 21) whose last leaf, index 2^21 - 1, is `leaf`.
    /// @dev Every bit of that index is one: the leaf and its parents are always on the right.
    function rootFromLast(bytes32 leaf, bytes32[21] calldata proof)
        internal
        pure
        returns (bytes32 node)
    {
        node = leaf;
        for (uint256 height = 0; height < COMMITMENT_HEIGHT; ++height) {
            node = pair(proof[height], node);
        }
    }
}
