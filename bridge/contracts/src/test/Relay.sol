// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Relay: a contract between a sender and its target
/// @notice For tests only: a poster or depositor that is a contract, and code to delegate to
/// (EIP-7702).
contract Relay {
    /// @notice Calls `target` and hands on what it answers, or its error as it was.
    function relay(address target, bytes calldata payload) external payable returns (bytes memory) {
        return Address.functionCallWithValue(target, payload, msg.value);
    }
}
