// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInbox} from "./interfaces/IInbox.sol";
import {IncrementalTree} from "./libraries/IncrementalTree.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Pages} from "./libraries/Pages.sol";

/// @title Inbox
/// @notice See IInbox.
contract Inbox is IInbox {
    using IncrementalTree for IncrementalTree.Tree;

    uint256 internal constant MAXIMUM_BATCH_BYTES = 117_956;
    uint256 internal constant MAXIMUM_DATA_BYTES = 256;
    uint256 internal constant MAXIMUM_REPORT_BYTES = 1_024;
    /// @dev A block's timestamp is cut to seconds, so its "now" may be this much behind.
    uint256 internal constant CLOCK_CUT_MS = 999;

    uint8 internal constant RECORD_BATCH = 1;
    uint8 internal constant RECORD_ADVANCE = 2;

    uint8 internal constant DIRECT_DEPOSIT = 1;
    uint8 internal constant DIRECT_WITHDRAW = 2;
    uint8 internal constant DIRECT_CANCEL_ALL = 3;
    uint8 internal constant DIRECT_REPORT = 6;
    uint8 internal constant DIRECT_GOVERN = 7;

    address public immutable OPERATOR;
    address public immutable VAULT;
    address public immutable TIMELOCK;
    uint64 public immutable MAX_WAIT_MS;
    uint64 public immutable MAX_LAG_MS;

    bytes32 public content;
    address public poster;
    uint64 public lastTimeMs;
    uint64 public drainedTo;

    IncrementalTree.Tree private _records;
    IncrementalTree.Tree private _directs;
    /// @dev By count: entry n covers the first n inputs, entry 0 is zero.
    mapping(uint64 count => bytes32) private _directHashes;
    mapping(uint64 index => uint64) private _directTimesMs;
    uint256[5] private _feesWei;

    constructor(Config memory config) {
        if (
            config.operator == address(0) || config.poster == address(0)
                || config.vault == address(0) || config.timelock == address(0)
        ) revert Inbox_ZeroAddress();

        OPERATOR = config.operator;
        VAULT = config.vault;
        TIMELOCK = config.timelock;
        MAX_WAIT_MS = config.maxWaitMs;
        MAX_LAG_MS = config.maxLagMs;
        _feesWei = config.feesWei;
        poster = config.poster;
        emit PosterRotated(address(0), config.poster);
    }

    /// @inheritdoc IInbox
    function postBatch(BatchHeader calldata header, bytes calldata data) external override {
        _checkPoster();
        if (header.prevContent != content) revert Inbox_ContentMoved(header.prevContent, content);
        if (data.length == 0 || data.length > MAXIMUM_BATCH_BYTES) {
            revert Inbox_BatchSize(data.length, MAXIMUM_BATCH_BYTES);
        }
        _checkDirects(header);
        _checkTimes(header.tFirst, header.tLast);

        bytes32 leaf = _recordLeaf(
            RECORD_BATCH,
            uint32(data.length),
            header.tFirst,
            header.tLast,
            header.directTo,
            Pages.root(data)
        );
        uint64 record = _appendRecord(leaf, header.tLast, header.directTo);
        emit BatchPosted(record, leaf, content);
    }

    /// @inheritdoc IInbox
    function deposit(
        address account,
        uint32 subaccount,
        address token,
        uint128 amountE9,
        address payer
    ) external override returns (uint64 index) {
        if (msg.sender != VAULT) revert Inbox_NotVault(msg.sender, VAULT);

        return _appendDirect(
            DIRECT_DEPOSIT, payer, abi.encodePacked(account, subaccount, token, amountE9)
        );
    }

    /// @inheritdoc IInbox
    function force(uint8 kind, bytes calldata data)
        external
        payable
        override
        returns (uint64 index)
    {
        uint256 required = feeWei(kind);
        _checkSize(kind, data.length);
        if (msg.value != required) revert Inbox_WrongFee(kind, msg.value, required);

        return _appendDirect(kind, msg.sender, data);
    }

    /// @inheritdoc IInbox
    function govern(bytes calldata data) external override returns (uint64 index) {
        if (msg.sender != TIMELOCK) revert Inbox_NotTimelock(msg.sender, TIMELOCK);
        _checkSize(DIRECT_GOVERN, data.length);

        return _appendDirect(DIRECT_GOVERN, msg.sender, data);
    }

    /// @inheritdoc IInbox
    /// @dev `lastTimeMs` cannot be later than now: a batch ends at most 999 ms after its own
    /// block's timestamp, and one in this very block would have had to drain the overdue input.
    function advance() external override {
        uint64 count = _directs.count;
        if (drainedTo == count) revert Inbox_NothingWaits(count);
        uint256 overdueMs = uint256(_directTimesMs[drainedTo]) + MAX_WAIT_MS + MAX_LAG_MS;
        uint64 nowMs = _nowMs();
        if (nowMs <= overdueMs) revert Inbox_NotOverdue(drainedTo, nowMs, overdueMs + 1);

        bytes32 leaf = _recordLeaf(RECORD_ADVANCE, 0, nowMs, nowMs, count, bytes32(0));
        uint64 record = _appendRecord(leaf, nowMs, count);
        emit Advanced(record, count, nowMs, leaf, content);
    }

    /// @inheritdoc IInbox
    function rotatePoster(address newPoster) external override {
        if (msg.sender != OPERATOR) revert Inbox_NotOperator(msg.sender, OPERATOR);
        if (newPoster == address(0)) revert Inbox_ZeroAddress();

        emit PosterRotated(poster, newPoster);
        poster = newPoster;
    }

    /// @inheritdoc IInbox
    function recordCount() external view override returns (uint64) {
        return _records.count;
    }

    /// @inheritdoc IInbox
    function directCount() external view override returns (uint64) {
        return _directs.count;
    }

    /// @inheritdoc IInbox
    function directHash(uint64 count) external view override returns (bytes32) {
        if (count > _directs.count) revert Inbox_DirectUnknown(count, _directs.count);
        return _directHashes[count];
    }

    /// @inheritdoc IInbox
    function directTimeMs(uint64 index) external view override returns (uint64) {
        if (index >= _directs.count) revert Inbox_DirectUnknown(index, _directs.count);
        return _directTimesMs[index];
    }

    /// @inheritdoc IInbox
    function snapshot() external view override returns (Snapshot memory) {
        return Snapshot({
            recordsRoot: _records.root(),
            recordsCount: _records.count,
            directsRoot: _directs.root(),
            directsCount: _directs.count
        });
    }

    /// @inheritdoc IInbox
    function feeWei(uint8 kind) public view override returns (uint256) {
        if (kind < DIRECT_WITHDRAW || kind > DIRECT_REPORT) revert Inbox_UnknownKind(kind);
        return _feesWei[kind - DIRECT_WITHDRAW];
    }

    function _appendRecord(bytes32 leaf, uint64 timeMs, uint64 directTo)
        internal
        returns (uint64 record)
    {
        record = _records.count;
        _records.append(leaf);
        content = Merkle.pair(content, leaf);
        lastTimeMs = timeMs;
        drainedTo = directTo;
    }

    function _appendDirect(uint8 kind, address sender, bytes memory data)
        internal
        returns (uint64 index)
    {
        index = _directs.count;
        uint64 timeMs = _nowMs();
        bytes32 leaf = keccak256(abi.encodePacked(kind, sender, index, timeMs, data));
        bytes32 runningHash = Merkle.pair(_directHashes[index], leaf);

        _directs.append(leaf);
        _directHashes[index + 1] = runningHash;
        _directTimesMs[index] = timeMs;
        emit DirectInput(index, kind, sender, timeMs, data, runningHash);
    }

    function _checkPoster() internal view {
        if (msg.sender != poster) revert Inbox_NotPoster(msg.sender, poster);
        // Derivation reads the batch from the transaction's own calldata.
        if (msg.sender != tx.origin || msg.sender.code.length != 0) {
            revert Inbox_PosterHasCode(msg.sender, tx.origin, msg.sender.code.length);
        }
    }

    function _checkDirects(BatchHeader calldata header) internal view {
        uint64 directTo = header.directTo;
        uint64 count = _directs.count;
        if (directTo < drainedTo) revert Inbox_DirectToFalls(directTo, drainedTo);
        if (directTo > count) revert Inbox_DirectToBeyond(directTo, count);

        bytes32 runningHash = _directHashes[directTo];
        if (header.expectedDirect != runningHash) {
            revert Inbox_DirectHashDiffers(header.expectedDirect, runningHash);
        }
        if (directTo == count) return;

        // Times never fall: if the first one left out is not overdue, none is.
        uint256 latestMs = uint256(_directTimesMs[directTo]) + MAX_WAIT_MS;
        if (header.tLast > latestMs) revert Inbox_InputOverdue(directTo, header.tLast, latestMs);
    }

    function _checkTimes(uint64 tFirst, uint64 tLast) internal view {
        uint256 nowMs = _nowMs();
        uint256 earliestMs = nowMs > MAX_LAG_MS ? nowMs - MAX_LAG_MS : 0;
        if (tFirst < earliestMs) revert Inbox_BatchTooOld(tFirst, earliestMs);
        if (tLast < tFirst) revert Inbox_TimeReversed(tFirst, tLast);
        if (tLast > nowMs + CLOCK_CUT_MS) revert Inbox_FromFuture(tLast, nowMs + CLOCK_CUT_MS);
        if (tFirst < lastTimeMs) revert Inbox_TimeFalls(tFirst, lastTimeMs);
    }

    function _nowMs() internal view returns (uint64) {
        return uint64(block.timestamp) * 1_000;
    }

    /// @dev The sizes of docs/formats.md §3. Close and revoke_key are reserved: any size up to the
    /// bound.
    function _checkSize(uint8 kind, uint256 length) internal pure {
        (uint256 minimum, uint256 maximum) = (1, MAXIMUM_DATA_BYTES);
        if (kind == DIRECT_WITHDRAW) (minimum, maximum) = (40, 40);
        else if (kind == DIRECT_CANCEL_ALL) (minimum, maximum) = (4, 4);
        // A price is 84 bytes; surfaces are longer.
        else if (kind == DIRECT_REPORT) (minimum, maximum) = (84, MAXIMUM_REPORT_BYTES);

        if (length < minimum || length > maximum) {
            revert Inbox_DataSize(kind, length, minimum, maximum);
        }
    }

    function _recordLeaf(
        uint8 kind,
        uint32 dataBytes,
        uint64 tFirst,
        uint64 tLast,
        uint64 directTo,
        bytes32 pageRoot
    ) internal pure returns (bytes32) {
        // meta: kind at 0, length at 4, times at 8 and 16, directTo at 24.
        bytes32 meta =
            bytes32(abi.encodePacked(kind, bytes3(0), dataBytes, tFirst, tLast, directTo));
        return Merkle.pair(meta, pageRoot);
    }
}
