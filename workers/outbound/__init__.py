"""Calls to addresses that tenants choose: to the public internet over TLS, and nowhere else.

urls              what such an address must look like
public_addresses  which IP addresses are public
post              the call
"""
