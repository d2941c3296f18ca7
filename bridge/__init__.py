"""
Bridge: how L1 carries the rollup and judges it.

In:  batches from the sequencer; calldata, deposits and disputes from L1.
Out: posted batches, claims, moves in disputes, proofs of withdrawal.

Holds: a validator needs L1 data and `state`, and not one line of `sequencer`.
Not here: the batch format (`state.batch`), when a batch is closed (`sequencer.sealing`).
"""
