"""Timetable of a schedule: when its runs are due, by cron text in a time zone. Pure.

A time that the switch to summer time leaves out is due at the next minute that exists, and one that happens twice is
due once, as Debian's cron has it. The jitter spreads runs that are due together: it is the same for one due time on
every process, so two of them agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

MAX_CRON_CHARS = 100
MIN_MINUTES = 15  # between two runs that are due: a plan reads the whole feed
MAX_JITTER_MINUTES = 720
_LOOKED_AT = 200  # due times in a row, whose distances are checked
_FIELDS = 5
_MOST_MISSED = 3_000  # that are counted, of runs in a row


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a catalogue says of its schedule. `apply`: never | within-limits | always."""

    cron: str
    zone: str = "UTC"
    jitter_minutes: int = 0
    apply: str = "within-limits"

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Timetable:
        """From a part of a file that its schema has read."""
        return cls(**written)

    def due_after(self, moment: datetime) -> datetime:
        """The first due time behind the moment, in UTC."""
        return next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.zone)))).astimezone(UTC)

    def last_due(self, due: datetime, now: datetime) -> tuple[datetime, int]:
        """(the last due time up to now, how many before it were missed), where `due` is one of them.

        After a clock that jumped by decades, an earlier one: any of them does, and the next is behind now.
        """
        missed = 0
        while missed < _MOST_MISSED and (following := self.due_after(due)) <= now:
            due, missed = following, missed + 1
        return due, missed

    def begins(self, due: datetime, catalogue_id: str) -> datetime:
        """When the run of a due time begins: up to `jitter_minutes` later."""
        digest = hashlib.sha256(f"{catalogue_id}\n{due.timestamp():.0f}".encode()).digest()
        share = int.from_bytes(digest[:4], "big") / 2**32
        return due + timedelta(seconds=int(share * self.jitter_minutes * 60))


def cron_error(cron: str) -> str:
    """What is wrong with a cron text, "" for nothing."""
    if len(cron) > MAX_CRON_CHARS or len(cron.split()) != _FIELDS:
        return "it has five fields: minute, hour, day of month, month, day of week"
    try:
        times = list(islice(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)), _LOOKED_AT))
    except CronSimError as error:
        return f"{error}".lower().replace("bad ", "it has a wrong ")
    if not times:
        return "no day of any year is like that"
    closest = min((later - sooner for sooner, later in pairwise(times)), default=timedelta.max)
    if closest < timedelta(minutes=MIN_MINUTES):
        return f"it is due more often than every {MIN_MINUTES} minutes"
    return ""


def is_zone(name: str) -> bool:
    """Whether it is the name of a time zone in the IANA database."""
    return name in available_timezones()
