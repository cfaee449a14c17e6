"""Sealer process: seals the ledger, anchors its heads, asks witnesses, publishes revocations.

sealer        the loop
anchors       the places where heads are anchored
anchor_state  what each anchor has, and what it is sent next
locked_store  a bucket with object lock
cosign        asks the witnesses
revocations   publishes the revocation list
"""
