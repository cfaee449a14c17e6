"""Rule sets: which people approved one.

approvals  approve, and whether enough people did
tables     the table
"""
