"""Streams of events as they are asked for."""

from __future__ import annotations

from pydantic import Field

from api.schemas.base import QueryModel


class StreamQuery(QueryModel):
    """Where a stream begins."""

    after: int | None = Field(
        None, ge=0, le=10**18 - 1, description="as `Last-Event-ID`, for callers that cannot send the header"
    )


class RequestStreamQuery(StreamQuery):
    """Where the stream of a request begins, and how closely it is told."""

    progress: float = Field(
        0,
        ge=0,
        le=60,
        description="0: an event for each image; else one `progress` with the counts by state in their place, at most"
        " every so many seconds",
    )
