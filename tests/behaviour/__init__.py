"""Behaviour that belongs to no one module: the whole system, database roles, migrations."""
