"""
Sequencer: the service that orders, executes and answers.

In:  requests over JSON-RPC and WebSocket; deposits and forced operations from L1.
Out: signed receipts, feeds, batches for `bridge.poster`.

Holds: an answer is given after the journal is durable; the event loop never blocks.
Not here: what an operation does (`state`), how L1 judges it (`bridge`).
"""
