"""Tests of workers/sampling/prompts/."""
