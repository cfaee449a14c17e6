"""Tests of api/routes/inputs.py."""
