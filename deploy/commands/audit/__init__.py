"""`presswork audit`: verifies the ledger, queries it, and exports evidence.

group        the command group
verify       verify
events       events
questions    asset, made-by, refused, reviews, approvals, still-public, counts
export       export
forward      forward
checkpoint   checkpoint
prove        prove
check        check
consistency  consistency
pack         pack
delivered/   lock
revocations  revocations
revoked      revoked
reconcile    reconcile
report/      report
drill        drill
"""
