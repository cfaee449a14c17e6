"""Tests of policy/prompts/."""
