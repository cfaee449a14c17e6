"""Logins, identities, buckets and keys of an installation on managed services.

logins      roles of Postgres with a password each, and the database
identities  IAM policy of each role for the buckets
buckets     the two buckets, made where they are missing
keys        the key of the ledger, and a development chain
secrets     the folder that holds one file for each secret
"""
