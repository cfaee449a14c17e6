"""Tests of policy/images/."""
