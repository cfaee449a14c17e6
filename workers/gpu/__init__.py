"""Gpu process: one batch from claim to settlement.

executor   claim, sample, finish, settle
leases     renews the lease while the batch is worked on
finish     screen, mark, encode, sign, read back, put
regeneration  samples a picture again that came out wrong
unsettled  what becomes of a claim that ends with an error
"""
