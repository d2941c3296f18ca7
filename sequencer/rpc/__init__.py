"""
RPC: JSON-RPC over HTTP and WebSocket.

In:  bytes from clients.
Out: bytes to clients; writes go to `sequencer.admission`, reads to `sequencer.queries`.

Order of reading: `server` (transport) -> `wire` (strict JSON) -> `dispatch` -> `eth`, `public`,
`rollup` (methods) -> `shapes` (what Ethereum clients expect to see).
Holds: parsing is strict, everything is bounded, no request can block the event loop.
Not here: what is true (`sequencer.queries`), what is accepted (`sequencer.admission`).
"""
