"""Tests of policy/marks/locks/."""
