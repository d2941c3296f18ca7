// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TestUSD: play money of the devnet
/// @notice Anyone may mint any amount. Never list it where value is at stake.
contract TestUSD is ERC20 {
    constructor() ERC20("Test USD", "TUSD") {}

    /// @notice Gives `amount` units of 1e-6 to `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Six, as the dollars in use have.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
