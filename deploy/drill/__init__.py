"""Tampering drill: changes that a database superuser or a forger of packs could make, all of which must be named.

log              the log that is tampered with
tampering_cases  the changes, and what the verifier must say about each
pack_cases       forgeries of a pack, and what the verifier must say about each
run              copies the log, applies each case, asks the verifier
"""
