"""Stream of server-sent events (WHATWG HTML, section 9.2) for one listener, from a number on, with heartbeats.

`id` is the number of the event in the log: a listener that sends it back as `Last-Event-ID` goes on behind it. Between
two events the stream holds a connection and a place of its tenant, and no thread. It ends after a time, when the key is
no longer valid, when the process stops, and when nothing more can come; a client reconnects by itself.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.edge.live.feed import Feed
from policy.ledger.reading.sealed import SealedEvent

_HEARTBEAT_SECONDS = 15.0  # proxies close what is silent; the key is looked at as often
_RETRY_MILLISECONDS = 2_000  # before a browser reconnects
_NOUNS = ("request", "item", "asset", "batch_job")
_TOLD = ("phase", "reason", "items", "refused", "counts", "row", "variant", "codes", "lines")
_ENDS = ("request.finished", "request.expired")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens to what, from where on. `is_over` says whether nothing more comes of the request."""

    tenant: str
    request_id: str | None  # None: everything of the tenant
    after: int
    seconds: float
    is_valid: Callable[[], bool]
    is_over: Callable[[], bool]
    progress_seconds: float = 0.0  # 0: an event for each image; else counts in their place, at most so often
    counts: Callable[[], Mapping[str, int]] = dict  # images of the request by state


async def live_events(feed: Feed, listener: Listener) -> AsyncIterator[str]:
    """The events as they are sent. Cancelled when the caller hangs up."""
    loop = asyncio.get_running_loop()
    end, heard = loop.time() + listener.seconds, loop.time()
    after, was_over = listener.after, False
    counted, changed = -math.inf, listener.progress_seconds > 0  # who comes back is told at once how far it is
    yield f"retry: {_RETRY_MILLISECONDS}\n\n"
    with feed.listening() as told:
        while not feed.is_closed:
            told.clear()
            found, up_to = await _found(feed, listener, after)
            told_alone = [event for event in found if not (listener.progress_seconds and _is_of_an_image(event))]
            changed = changed or len(told_alone) < len(found)
            ends = any(event.kind in _ENDS for event in found)
            if changed and (ends or loop.time() - counted >= listener.progress_seconds):
                if (counts := await run_in_threadpool(_counts, listener)) is not None:
                    yield _progress(listener, counts, after)
                    changed = False
                counted = loop.time()
            for event in told_alone:
                yield written(event)
            if ends and await run_in_threadpool(_answers, listener.is_over, unknown=False):
                return
            if up_to > after:
                after = up_to
                continue
            now = loop.time()
            if now - heard >= _HEARTBEAT_SECONDS:
                heard = now
                if not await run_in_threadpool(_answers, listener.is_valid, unknown=True):
                    return
                # What an expired request had in flight ends without a last event: the end is seen twice.
                is_over = await run_in_threadpool(_answers, listener.is_over, unknown=False)
                if is_over and was_over:
                    return
                was_over = is_over
                yield ": alive\n\n"
            if now >= end:
                return
            due = counted + listener.progress_seconds - now if changed else _HEARTBEAT_SECONDS
            await _new(told, min(end - now, heard + _HEARTBEAT_SECONDS - now, due))


def concerns(event: SealedEvent, tenant: str, request_id: str | None) -> bool:
    return event.tenant == tenant and (request_id is None or f"request:{request_id}" in event.subjects)


def written(event: SealedEvent) -> str:
    """One event: its ids and what changed; no text that a person wrote."""
    ids = {f"{noun}_id": event.event[f"{noun}_id"] for noun in _NOUNS if event.event.get(f"{noun}_id")}
    told = {name: event.event[name] for name in _TOLD if event.event.get(name) is not None}
    content = {"type": event.kind, "at": event.recorded_at.isoformat(timespec="milliseconds"), **ids, **told}
    return f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"


def _is_of_an_image(event: SealedEvent) -> bool:
    return event.kind.startswith(("item.", "asset."))


def _progress(listener: Listener, counts: Mapping[str, int], after: int) -> str:
    """How many images are in which state now. Its id is the last number that was told, alone or in counts."""
    content = {"type": "progress", "request_id": listener.request_id, "counts": dict(counts)}
    return f"id: {after}\nevent: progress\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"


async def _found(feed: Feed, listener: Listener, after: int) -> tuple[list[SealedEvent], int]:
    found = feed.remembered(after)
    if found is None:
        try:
            found = await run_in_threadpool(feed.stored, after, listener.tenant)
        except SQLAlchemyError:
            return [], after  # the next look of the feed wakes us
    events, up_to = found
    return [event for event in events if concerns(event, listener.tenant, listener.request_id)], up_to


def _answers(ask: Callable[[], bool], *, unknown: bool) -> bool:
    """`unknown` where the database is away: it is asked again at the next heartbeat."""
    try:
        return ask()
    except SQLAlchemyError:
        return unknown


def _counts(listener: Listener) -> Mapping[str, int] | None:
    """None where the database is away."""
    try:
        return listener.counts()
    except SQLAlchemyError:
        return None


async def _new(told: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await told.wait()
    except TimeoutError:
        pass
