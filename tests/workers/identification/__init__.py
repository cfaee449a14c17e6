"""Tests of workers/identification/."""
