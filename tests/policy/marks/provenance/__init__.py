"""Tests of C2PA provenance."""
