"""Tests of api/results: what became of a request, as files."""
