"""Planned campaigns: a spec with its rows, by a digest of both, so that what is sent is what was looked at.

They are held in memory alone: a server that starts again is asked to plan again, and the same content has the same
digest. Bounded in number, size and age. The rows are data: nothing here reads them.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_PLANNED = 50
MAX_BYTES = 8 * 1024 * 1024  # of the rows of one campaign
KEPT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class PlannedCampaign:
    """What would be sent, and what the check of it said."""

    digest: str
    spec: Mapping[str, Any]
    table: bytes = field(repr=False)
    report: Mapping[str, Any]
    at: float  # monotonic

    @property
    def images(self) -> int:
        """How many would be made: without those that policy refuses."""
        return int(self.report["items"]) - int(self.report["refused_items"])


class PlannedCampaigns:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: OrderedDict[str, PlannedCampaign] = OrderedDict()

    def keep(self, spec: Mapping[str, Any], table: bytes, report: Mapping[str, Any]) -> PlannedCampaign:
        planned = PlannedCampaign(digest_of(spec, table), dict(spec), table, report, time.monotonic())
        with self._lock:
            self._planned[planned.digest] = planned
            self._planned.move_to_end(planned.digest)
            while len(self._planned) > MAX_PLANNED:
                self._planned.popitem(last=False)
        return planned

    def find(self, digest: str) -> PlannedCampaign | None:
        with self._lock:
            planned = self._planned.get(digest)
        if planned is None or time.monotonic() - planned.at > KEPT_SECONDS:
            return None
        return planned


def digest_of(spec: Mapping[str, Any], table: bytes) -> str:
    written = json.dumps(dict(spec), sort_keys=True, separators=(",", ":")).encode()
    return f"sha256:{hashlib.sha256(hashlib.sha256(written).digest() + hashlib.sha256(table).digest()).hexdigest()}"


def table_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as JSON lines."""
    return b"".join(json.dumps(dict(row), sort_keys=True, ensure_ascii=False).encode() + b"\n" for row in rows)
