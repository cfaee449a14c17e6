"""Streams of events as they are asked for."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import QueryModel


class StreamQuery(QueryModel):
    """Where a stream begins."""

    after: int | None = Field(
        None, ge=0, le=10**18 - 1, description="as `Last-Event-ID`, for callers that cannot send the header"
    )
