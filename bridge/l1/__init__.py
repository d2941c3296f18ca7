"""
L1 as the bridge sees it: a client, a wallet, the contracts, and an L1 of our own for the devnet.

In:  an RPC URL and keys.
Out: requests, transactions that land or say why not, typed calls and events.

Not here: what the transactions mean (`bridge.poster`, `bridge.derivation`, `bridge.validator`).
"""
