"""Verification of the whole log against its signed heads.

verify       one run over one snapshot, and its report
walk         rebuilds the tree leaf by leaf and compares each signed root
entry_check  compares one stored entry with its own signed bytes
"""
