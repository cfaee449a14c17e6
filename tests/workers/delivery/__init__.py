"""Tests of workers.delivery."""
