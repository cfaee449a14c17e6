"""Developers' tools: what does not ship in the wheel."""
