"""Tests of what controls a request over HTTP."""
