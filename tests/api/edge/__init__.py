"""Tests of api/edge/: what surrounds every request."""
