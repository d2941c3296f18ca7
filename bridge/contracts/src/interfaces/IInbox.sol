// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title IInbox: where everything that the rollup executes is put on L1
/// @notice Two lists that only grow: *records* (batches of the sequencer and `advance`), and
/// *direct inputs* (deposits, forced operations, governance). Results never depend on when a record
/// lands, because whatever would not be lawful reverts here. Rules: design/rollup.md §2; hashes:
/// docs/formats.md §3. All times are milliseconds; "now" is the block's timestamp times 1,000.
interface IInbox {
    /// @param prevContent The content chain on which this batch was built.
    /// @param tFirst Time of the batch's first block, ms.
    /// @param tLast Time of its end, ms: inputs up to `directTo` are drained then.
    /// @param directTo Direct inputs before this index are executed by the end of the batch.
    /// @param expectedDirect The running hash of those direct inputs.
    struct BatchHeader {
        bytes32 prevContent;
        uint64 tFirst;
        uint64 tLast;
        uint64 directTo;
        bytes32 expectedDirect;
    }

    /// @param feesWei The exact fee of a forced input by kind: index 0 withdraw (kind 2), 1
    /// cancel_all, 2 close, 3 revoke_key, 4 report (kind 6).
    struct Config {
        address operator;
        address poster;
        address vault;
        address timelock;
        uint64 maxWaitMs;
        uint64 maxLagMs;
        uint256[5] feesWei;
    }

    /// @notice What an epoch is about: both trees, and how many leaves each has.
    struct Snapshot {
        bytes32 recordsRoot;
        uint64 recordsCount;
        bytes32 directsRoot;
        uint64 directsCount;
    }

    /// @notice Only the poster may post batches.
    error Inbox_NotPoster(address sender, address poster);
    /// @notice The poster must be a plain account: no contract in between, no code, no EIP-7702
    /// delegate.
    error Inbox_PosterHasCode(address sender, address origin, uint256 codeBytes);
    /// @notice The batch was built on another content chain: another record landed before it.
    error Inbox_ContentMoved(bytes32 given, bytes32 current);
    /// @notice A batch has between 1 byte and `maximum` bytes.
    error Inbox_BatchSize(uint256 length, uint256 maximum);
    /// @notice `directTo` may not go back behind what an earlier record drained.
    error Inbox_DirectToFalls(uint64 given, uint64 current);
    /// @notice `directTo` names inputs that do not exist.
    error Inbox_DirectToBeyond(uint64 given, uint64 count);
    /// @notice The direct inputs before `directTo` are not those that the batch was built on.
    error Inbox_DirectHashDiffers(bytes32 given, bytes32 current);
    /// @notice Input `index` would be left waiting for longer than `maxWait`: drain it in this
    /// batch.
    /// @param latestMs The latest `tLast` that would still leave it out.
    error Inbox_InputOverdue(uint64 index, uint64 tLast, uint256 latestMs);
    /// @notice The batch begins too long ago.
    error Inbox_BatchTooOld(uint64 tFirst, uint256 earliestMs);
    /// @notice The batch ends before it begins.
    error Inbox_TimeReversed(uint64 tFirst, uint64 tLast);
    /// @notice The batch ends in the future.
    error Inbox_FromFuture(uint64 tLast, uint256 latestMs);
    /// @notice The batch begins before the previous record ended.
    error Inbox_TimeFalls(uint64 tFirst, uint64 previousTLast);
    /// @notice Only the vault may queue deposits.
    error Inbox_NotVault(address sender, address vault);
    /// @notice Only the timelock may govern.
    error Inbox_NotTimelock(address sender, address timelock);
    /// @notice Only the operator may rotate the poster.
    error Inbox_NotOperator(address sender, address operator);
    /// @notice Kinds that may be forced are 2 to 6.
    error Inbox_UnknownKind(uint8 kind);
    /// @notice The data of this kind has between `minimum` and `maximum` bytes.
    error Inbox_DataSize(uint8 kind, uint256 length, uint256 minimum, uint256 maximum);
    /// @notice The fee must be sent exactly.
    error Inbox_WrongFee(uint8 kind, uint256 givenWei, uint256 requiredWei);
    /// @notice Every direct input is drained: there is nothing to advance over.
    error Inbox_NothingWaits(uint64 directCount);
    /// @notice The oldest waiting input is not overdue before `earliestMs`.
    error Inbox_NotOverdue(uint64 index, uint256 nowMs, uint256 earliestMs);
    /// @notice There are only `count` direct inputs.
    error Inbox_DirectUnknown(uint64 given, uint64 count);
    /// @notice The zero address cannot hold a role.
    error Inbox_ZeroAddress();

    /// @notice A batch is record `record`. Its bytes are the calldata of the transaction.
    event BatchPosted(uint64 indexed record, bytes32 leaf, bytes32 content);
    /// @notice Anyone moved the rollup on to `directTo` at `timeMs`; resting orders are void.
    event Advanced(
        uint64 indexed record, uint64 directTo, uint64 timeMs, bytes32 leaf, bytes32 content
    );
    /// @notice A direct input waits. `runningHash` covers it and all before it.
    event DirectInput(
        uint64 indexed index,
        uint8 kind,
        address sender,
        uint64 timeMs,
        bytes data,
        bytes32 runningHash
    );
    /// @notice The operator named another poster.
    event PosterRotated(address indexed previous, address indexed poster);

    /// @notice Appends a batch. Called by the poster itself, with the batch as calldata.
    function postBatch(BatchHeader calldata header, bytes calldata data) external;

    /// @notice Queues a deposit. Only the vault, which has the tokens by then.
    /// @param payer Who paid; the `sender` of the direct input.
    /// @return index The place among direct inputs: dense, from zero.
    function deposit(
        address account,
        uint32 subaccount,
        address token,
        uint128 amountE9,
        address payer
    ) external returns (uint64 index);

    /// @notice Queues an operation of the sender's own account, which the sequencer cannot leave
    /// out.
    /// @dev The fee stays in this contract for ever: there is no way out of it.
    /// @param kind 2 withdraw, 3 cancel_all, 4 close, 5 revoke_key, 6 report.
    function force(uint8 kind, bytes calldata data) external payable returns (uint64 index);

    /// @notice Queues a governance input. Only the timelock.
    function govern(bytes calldata data) external returns (uint64 index);

    /// @notice Drains all direct inputs without the sequencer, by anyone, once the oldest one has
    /// waited for longer than `maxWait + maxLag`. Batches built before this revert.
    function advance() external;

    /// @notice Names another poster, at once. Only the operator.
    function rotatePoster(address poster) external;

    function OPERATOR() external view returns (address);
    function VAULT() external view returns (address);
    function TIMELOCK() external view returns (address);
    function MAX_WAIT_MS() external view returns (uint64);
    function MAX_LAG_MS() external view returns (uint64);

    function poster() external view returns (address);

    /// @notice The content chain: a running hash over record leaves.
    function content() external view returns (bytes32);

    /// @notice `tLast` of the newest record, ms.
    function lastTimeMs() external view returns (uint64);

    /// @notice Direct inputs before this index are drained by the records so far.
    function drainedTo() external view returns (uint64);

    function recordCount() external view returns (uint64);
    function directCount() external view returns (uint64);

    /// @notice The running hash of the first `count` direct inputs; zero for none.
    function directHash(uint64 count) external view returns (bytes32);

    /// @notice When direct input `index` was queued, ms.
    function directTimeMs(uint64 index) external view returns (uint64);

    /// @notice The exact fee of a forced input of `kind`, wei.
    function feeWei(uint8 kind) external view returns (uint256);

    /// @notice Roots and counts of both trees as they are now.
    function snapshot() external view returns (Snapshot memory);
}
