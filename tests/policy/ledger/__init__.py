"""Tests of policy/ledger/."""
