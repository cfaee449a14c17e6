"""Tests of workers/jobs/catalogue."""
