"""Logins, identities and buckets of an installation on managed services.

logins      roles of Postgres with a password each, and the database
identities  IAM policy of each role for the buckets
buckets     the two buckets, made where they are missing
secrets     the folder that holds one file for each secret
"""
