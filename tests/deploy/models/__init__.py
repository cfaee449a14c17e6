"""Tests of `presswork models`."""
