"""Tests of workers/masks/."""
