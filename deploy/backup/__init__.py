"""Backups of the database: one dump with a manifest that says what it holds, and its return on a fresh server.

take       the dump and its manifest, of one snapshot
restore    the dump into an empty database, held against the manifest, with an event
manifest   what a dump holds: digest, revision, head of the ledger, rows
programs   pg_dump and pg_restore, and how they log in
"""
