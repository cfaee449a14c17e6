"""Tests of workers/jobs/recall/."""
