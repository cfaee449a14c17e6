"""Tests of /v1/catalogues: plans, applies, what is live."""
