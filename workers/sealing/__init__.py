"""Sealer process: seals the ledger, anchors its heads, asks witnesses, publishes revocations.

loop          seals and publishes in rounds; asks the witnesses in a thread
sealer        seals what was committed and anchors the new head
anchors       where heads are anchored: the object store, other stores, folders
anchor_state  what each anchor has, and what it is sent next
locked_store  a bucket with object lock
cosign        asks the witnesses
revocations   publishes the revocation list
"""
