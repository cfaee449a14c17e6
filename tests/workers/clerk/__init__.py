"""Tests of workers/clerk/."""
