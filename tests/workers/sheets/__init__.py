"""Tests of workers/sheets/."""
