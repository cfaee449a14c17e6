"""Tests of policy/identify/."""
