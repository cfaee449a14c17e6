"""Tests, one file a module; crash/ kills real processes."""
