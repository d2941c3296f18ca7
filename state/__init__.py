"""
State: what the rollup's state is, and the one transition that changes it.

In:  bytes of operations, batches and records; values of `state.types`.
Out: receipts, roots, proofs and witnesses.

Holds: one transition, compiled twice (`state/stf`); integers only; imports nothing of ours.
Not here: how L1 judges it (`bridge`), who runs it (`sequencer`).
"""
