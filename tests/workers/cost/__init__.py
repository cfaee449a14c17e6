"""Tests of workers/cost/."""
