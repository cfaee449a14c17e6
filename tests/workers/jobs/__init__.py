"""Tests of workers/jobs/: one file a verb."""
