"""Tests of api/submission/: how a request becomes rows."""
