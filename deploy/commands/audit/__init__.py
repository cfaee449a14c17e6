"""Commands of `presswork audit`: verify the ledger, read it, prove what it says.

group        the group: verify, events, proofs
questions    asset, made-by, refused, reviews, still-public, counts
export       a span of the log as a file
evidence     consistency proofs and evidence packs
revocations  the list of recalled files
simulation   rules over history, as tables
drill        tampering of every kind
"""
