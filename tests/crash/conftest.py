"""Worlds for crash tests, one a test: processes end with it, whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.world import World, make_tenant
from tests.support.rule_files import shipped_for_pictures, written


@pytest.fixture
def world(settings_for: Callable[..., Any], database: Any, s3: Any, tmp_path: Path) -> Iterator[World]:
    """Short leases, so that a crash costs seconds; the visibility timeout stays above the lease.

    Many claims allowed: on a busy machine a short lease may run out by itself, which is not what is tested. The rules
    of prompts are few: a worker takes seconds to load what judges their meaning, and no crash depends on it.
    """
    changes = {
        "policy_rules": written(tmp_path, **shipped_for_pictures()),
        "lease_seconds": 3.0,
        "claims_allowed": 8,
        "poll_seconds": 0.2,
        "return_seconds": 0.5,
        "window": 4,
        "max_batch": 4,
        "visibility_timeout_seconds": 12,
    }
    make_tenant(database)
    running = World(settings_for, database, s3, tmp_path, changes)
    yield running
    running.stop()
