"""Tampering drill: changes that a database superuser could make, each of which verification must name.

log              the log that is tampered with
tampering_cases  the changes, and what the verifier must say about each
run              copies the log, applies each case, asks the verifier
"""
