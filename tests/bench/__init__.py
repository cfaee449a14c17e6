"""Tests of the benchmarks' own arithmetic: what is recorded, compared and reported."""
