"""Review rows: what a person decides about a held image, and its carrying out.

claims     who looks at what, so that two do not meet
decide     the decision and its event
carry_out  what the clerk writes afterwards
tables     claims
views      what a reviewer reads
"""
