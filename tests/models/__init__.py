"""Tests of models/: the recipe of the built-in model."""
