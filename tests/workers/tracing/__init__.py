"""Tests of workers/tracing/."""
