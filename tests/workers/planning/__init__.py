"""Tests of workers/planning/."""
