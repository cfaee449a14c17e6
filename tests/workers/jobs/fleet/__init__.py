"""Tests of workers/jobs/fleet."""
