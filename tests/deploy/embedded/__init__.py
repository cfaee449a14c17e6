"""Tests of deploy/embedded/: real services on loopback."""
