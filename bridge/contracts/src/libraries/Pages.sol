// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Merkle} from "./Merkle.sol";

/// @title Pages: the page root of a batch
/// @notice The data in pages of 1,024 bytes, the last one padded with zeros, under a tree of depth
/// 7 whose missing pages are zero words. Rule: docs/formats.md §3.
library Pages {
    uint256 internal constant PAGE_BYTES = 1_024;
    uint256 internal constant DEPTH = 7;

    /// @param data At most 2^DEPTH pages; the caller has checked that.
    function root(bytes calldata data) internal pure returns (bytes32) {
        bytes32[] memory nodes = _hashes(data);
        uint256 count = nodes.length;
        bytes32 empty = bytes32(0);

        for (uint256 height = 0; height < DEPTH; ++height) {
            uint256 parents = (count + 1) / 2;
            for (uint256 i = 0; i < parents; ++i) {
                bytes32 right = 2 * i + 1 < count ? nodes[2 * i + 1] : empty;
                nodes[i] = Merkle.pair(nodes[2 * i], right);
            }
            empty = Merkle.pair(empty, empty);
            count = parents;
        }
        return nodes[0];
    }

    function _hashes(bytes calldata data) private pure returns (bytes32[] memory nodes) {
        uint256 full = data.length / PAGE_BYTES;
        uint256 rest = data.length % PAGE_BYTES;
        nodes = new bytes32[](rest == 0 ? full : full + 1);

        for (uint256 i = 0; i < full; ++i) {
            nodes[i] = keccak256(data[i * PAGE_BYTES:(i + 1) * PAGE_BYTES]);
        }
        if (rest != 0) {
            bytes calldata last = data[full * PAGE_BYTES:];
            nodes[full] = keccak256(bytes.concat(last, new bytes(PAGE_BYTES - rest)));
        }
    }
}
