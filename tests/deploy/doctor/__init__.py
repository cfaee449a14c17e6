"""Tests of deploy/doctor, on the real services."""
