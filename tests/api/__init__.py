"""Tests of api/: one file a resource."""
