"""Tests of policy/: no FastAPI is imported here."""
