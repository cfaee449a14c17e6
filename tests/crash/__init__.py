"""The crash table: real processes killed at named points."""
