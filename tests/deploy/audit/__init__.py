"""Tests of `presswork audit`."""
