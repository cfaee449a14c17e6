"""Crash table: real processes killed at named points."""
