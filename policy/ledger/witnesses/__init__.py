"""Witnesses: third parties that cosign tree heads, so that everybody is shown the same history.

witness         the state machine of one witness                    caller: presswork witness
witness_policy  whose cosignatures count, and how many are enough    callers: workers.sealing.cosign, verify, pack
"""
