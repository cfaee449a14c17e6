"""Tests of workers/gpu/."""
