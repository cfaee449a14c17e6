"""Tests of deploy/provisioning, on a Postgres that holds nothing of ours."""
