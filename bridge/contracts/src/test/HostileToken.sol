// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title HostileToken: what a vault may meet
/// @notice Keeps a fee of `feePercent` of every transfer, answers false instead of reverting when
/// told to, and calls `target` with `payload` on the way, as a token with hooks does. For tests
/// only.
contract HostileToken is ERC20 {
    uint256 public feePercent;
    bool public answersFalse;
    address public target;
    bytes public payload;

    constructor() ERC20("Hostile", "HST") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 percent) external {
        feePercent = percent;
    }

    function setAnswersFalse(bool value) external {
        answersFalse = value;
    }

    function setHook(address newTarget, bytes calldata newPayload) external {
        target = newTarget;
        payload = newPayload;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (answersFalse) return false;
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (answersFalse) return false;
        _spendAllowance(from, msg.sender, amount);
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) internal {
        if (target != address(0)) Address.functionCall(target, payload);
        uint256 fee = amount * feePercent / 100;
        _transfer(from, to, amount - fee);
        if (fee != 0) _burn(from, fee);
    }
}
