"""Examination of an installation: what is well, what is wrong, and what to do about it.

diagnosis    one diagnosis: subject, state, what was found, the remedy
database     Postgres: version, durability, clock, the rights of the login, the revision
broker       Redis: version, eviction, cluster mode
buckets      S3: rights, conditional writes, object lock, clock
files        rule set, model folder, certificates, keys of the ledger
operation    what should run and does not: workers, the sealer
examination  which of them each role needs; a failed one never stops the next
"""
