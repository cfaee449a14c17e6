"""`presswork audit`: verifies the ledger, queries it, and exports evidence.

group        the command group
verify       verify
events       events
questions    asset, made-by, refused, reviews, still-public, counts
export       export
checkpoint   checkpoint
prove        prove
check        check
consistency  consistency
pack         pack
revocations  revocations
revoked      revoked
reconcile    reconcile
drill        drill
"""
