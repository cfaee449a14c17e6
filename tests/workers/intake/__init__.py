"""Tests of workers/intake/."""
