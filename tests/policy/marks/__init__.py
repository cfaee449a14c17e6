"""Tests of policy/marks/."""
