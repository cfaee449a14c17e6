"""Tests of deploy/: the command and the embedded stack."""
