"""Tests of workers/jobs/privacy/."""
