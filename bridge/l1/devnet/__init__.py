"""
Embedded L1: an Ethereum of one process, for the devnet and the tests.

In:  JSON-RPC over HTTP, as any Ethereum client speaks it.
Out: blocks at an interval, on disk, with receipts and logs.

Holds: it refuses what geth refuses (calldata floor, chain id, nonces), with geth's texts, so that
what works here works on a real L1.
Not here: peers, consensus, fees that mean something.
"""
