"""Review rows: what a person decides about a held image, and its carrying out.

decide     the decision and its event
carry_out  what the clerk writes afterwards
views      what a reviewer reads
"""
