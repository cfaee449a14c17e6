"""Schedules of catalogues: when the next run is due, and what became of the last ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.schemas.base import ReplyModel


class TickReply(ReplyModel):
    """A due time of a schedule, and what became of it."""

    due_at: datetime
    state: str = Field(description="begun | ended")
    outcome: str | None = Field(description="applied | nothing | asked | failed | refused | overlapped")
    reason: str = Field(
        description="of asked: safeguards, never, new_file or paused; of overlapped: run or tick, which was not over;"
        " of the others: the code of a problem",
        examples=["safeguards"],
    )
    missed: int = Field(description="due times before it that nobody carried out, since everything stood still")
    plan_id: str | None
    run: int | None
    begun_at: datetime
    ended_at: datetime | None


class ScheduleReply(ReplyModel):
    """A catalogue that runs by itself."""

    catalogue: str
    version: int = Field(description="of the file that runs")
    timetable: dict[str, Any] = Field(examples=[{"cron": "30 4 * * *", "zone": "Europe/Berlin"}])
    due_at: datetime = Field(description="the next time of the timetable")
    begin_at: datetime = Field(description="when that run begins, with its jitter")
    started_at: datetime
    ticks: list[TickReply] = Field(description="the last 50, the latest first")
