"""Calls to addresses that tenants choose: to the public internet over TLS, and nowhere else.

urls              what such an address must look like
public_addresses  which IP addresses are public
pinned            connections to the addresses that were checked
post              a message to one
fetch             a file from one
places            what an s3:// address names, and the bucket that it is read from
objects           an object from a bucket that a tenant registered as a source
"""
