"""Context of the clerk's duties: the database as the clerk's role, the object store as its identity, the settings."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from workers.crash import Probe, no_probe
from workers.settings import Settings
from workers.store import ObjectStore


@dataclass(frozen=True, slots=True)
class ClerkContext:
    """One clerk's tools. Owned by one thread."""

    engine: Engine
    store: ObjectStore
    settings: Settings
    probe: Probe = no_probe
