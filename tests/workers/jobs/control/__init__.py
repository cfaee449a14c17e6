"""Tests of workers/jobs/control."""
