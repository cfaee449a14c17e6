"""Tests of calls to addresses that tenants choose."""
