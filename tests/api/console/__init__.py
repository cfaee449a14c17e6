"""Tests of api/console/: the pages for a browser."""
