"""Migrations: Alembic revisions of explicit, frozen DDL.

env        connects to the database it is given
upgrade    brings a database to the newest revision
versions/  the revisions, oldest first; a released one never changes
"""
