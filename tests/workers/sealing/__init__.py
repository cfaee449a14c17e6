"""Tests of workers/sealing/."""
