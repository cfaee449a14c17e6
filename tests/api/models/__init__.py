"""Tests of /v1/models and its neighbours."""
