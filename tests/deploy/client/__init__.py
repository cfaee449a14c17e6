"""Tests of deploy/client and of the commands that use it most."""
