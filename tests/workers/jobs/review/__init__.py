"""Tests of workers/jobs/review/."""
