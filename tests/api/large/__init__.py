"""Tests of api/submission/large: campaigns that are checked in the background."""
