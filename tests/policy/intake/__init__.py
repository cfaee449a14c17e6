"""Tests of policy/intake/."""
