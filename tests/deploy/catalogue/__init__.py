"""Tests of `presswork catalogue`."""
