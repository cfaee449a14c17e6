"""Tests of workers/sampling/."""
