"""Tests of deploy/backup, on the real Postgres."""
