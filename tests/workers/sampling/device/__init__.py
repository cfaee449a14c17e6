"""Tests of workers/sampling/device/."""
