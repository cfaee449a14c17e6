"""Sections: what stands in the navigation, and the scope that a key needs for it."""

from __future__ import annotations

from typing import NamedTuple


class ConsoleSection(NamedTuple):
    """One entry. `scope` is "" where every key will do."""

    name: str
    address: str
    scope: str


SECTIONS = (
    ConsoleSection("start", "/console", ""),
    ConsoleSection("campaigns", "/console/campaigns", "read"),
    ConsoleSection("new", "/console/new", "submit"),
    ConsoleSection("catalogues", "/console/catalogues", "read"),
    ConsoleSection("review", "/console/review", "review"),
    ConsoleSection("identify", "/console/identify", "read"),
    ConsoleSection("inputs", "/console/inputs", "read"),
    ConsoleSection("models", "/console/models", "read"),
    ConsoleSection("usage", "/console/usage", "read"),
    ConsoleSection("audit", "/console/audit", "audit"),
    ConsoleSection("settings", "/console/settings", "admin"),
)
