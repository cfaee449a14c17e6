"""Tests of api/submission/large: campaigns that a worker checks behind the answer."""
