// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Merkle} from "./Merkle.sol";

/// @title IncrementalTree: an append-only tree of depth 32, as in the Ethereum deposit contract
/// @notice `frontier[h]` holds the newest complete left node of height h. An append writes one slot
/// of it; the root is computed when asked for. Missing leaves are zero words. Rule: docs/formats.md
/// §3.
library IncrementalTree {
    uint256 internal constant DEPTH = 32;
    uint64 internal constant MAXIMUM = uint64(1 << DEPTH) - 1;

    struct Tree {
        uint64 count;
        bytes32[DEPTH] frontier;
    }

    /// @notice The tree has no room for another leaf.
    error IncrementalTree_Full(uint64 count);

    function append(Tree storage self, bytes32 leaf) internal {
        if (self.count == MAXIMUM) revert IncrementalTree_Full(self.count);
        uint256 size = ++self.count;

        bytes32 node = leaf;
        uint256 height = 0;
        // Ends below DEPTH: `size` is at most 2^32 - 1, so one of its low 32 bits is set.
        for (; size & 1 == 0; size >>= 1) {
            node = Merkle.pair(self.frontier[height++], node);
        }
        self.frontier[height] = node;
    }

    function root(Tree storage self) internal view returns (bytes32 node) {
        uint256 size = self.count;
        bytes32 empty = bytes32(0);
        for (uint256 height = 0; height < DEPTH; ++height) {
            node = size & 1 == 1
                ? Merkle.pair(self.frontier[height], node)
                : Merkle.pair(node, empty);
            empty = Merkle.pair(empty, empty);
            size >>= 1;
        }
    }
}
