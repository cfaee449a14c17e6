"""Spans of a request: each process adds its own, and no process hands a context to the next.

The trace of a request has the request's own id as its trace id, and the second half of that id as the id of its first
span. So whoever knows a request finds its trace, and a process that was killed, or a batch of many requests, needs no
column and no header for it. A caller's `traceparent` is linked from the first span, and named by the span of the call.

    submit                      api: from the checked rows to the stored request; links to the caller's trace
      batch                     gpu: from a claim to its settlement, once for each request in it
        sample                  one run on the device
      webhook                   clerk: one attempt to tell; the receiver is sent its `traceparent`

Without `PRESSWORK_OTLP_URL` nothing is recorded, imported or started.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from workers.settings import Settings

if TYPE_CHECKING:
    from workers.tracing.otlp import Exporter

Attribute = str | int | float | bool
_within: ContextVar[Mapping[str, str]] = ContextVar("spans", default={})  # noqa: B039 - never changed  # trace -> span


@dataclass(frozen=True, slots=True)
class Span:
    """One step. Ids are hexadecimal, times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str  # "": none
    name: str
    began: int
    ended: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    link: tuple[str, str] | None = None  # trace and span of a caller
    failed: str = ""  # the class of the error that ended it
    server: bool = False  # it answered a call


class _Process:
    """Where the spans of this process go: set once, before its threads start."""

    exporter: Exporter | None = None


def configure(settings: Settings, process: str) -> None:
    """Record from now on, if a collector is named. Once a process, before its threads start."""
    if settings.otlp_url:
        from workers.tracing.otlp import Exporter  # noqa: PLC0415 - a thread and a client, for those who trace

        _Process.exporter = Exporter(settings.otlp_url, process)


def flush() -> None:
    """Send what was recorded, and record nothing more. At the end of a process, and of a test."""
    exporter, _Process.exporter = _Process.exporter, None
    if exporter is not None:
        exporter.close()


def traceparent(request_id: str) -> str:
    """The header that puts what a receiver records into the trace of a request; "" where nothing is traced."""
    if _Process.exporter is None or not request_id:
        return ""
    trace = _trace_of(request_id)
    return f"00-{trace}-{_within.get().get(trace, _first_span_of(trace))}-01"


@contextmanager
def traced(name: str, request_ids: Iterable[str], **attributes: Attribute) -> Iterator[None]:
    """A span in the trace of each of these requests, to the end of the block; failed where that raises.

    A block inside, in the same thread, is its child.
    """
    if (exporter := _Process.exporter) is None:
        yield
        return
    parents = _within.get()
    own = {_trace_of(id): secrets.token_hex(8) for id in request_ids}
    began, failed = time.time_ns(), ""
    token = _within.set({**parents, **own})
    try:
        yield
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        _within.reset(token)
        ended = time.time_ns()
        for trace, span in own.items():
            parent = parents.get(trace, _first_span_of(trace))
            exporter.add(Span(trace, span, parent, name, began, ended, attributes, failed=failed))


def submitted(request_id: str, began: int, **attributes: Attribute) -> None:
    """The first span of a request that is being stored. Its call, if it is traced, is linked."""
    if (exporter := _Process.exporter) is None:
        return
    trace, names = _trace_of(request_id), structlog.contextvars.get_contextvars()
    link = (str(names["trace_id"]), str(names["span_id"])) if "trace_id" in names else None
    first = _first_span_of(trace)
    exporter.add(Span(trace, first, "", "submit", began, time.time_ns(), attributes, link))


def called(span: Span) -> None:
    """A call that its caller traces."""
    if _Process.exporter is not None:
        _Process.exporter.add(span)


def _trace_of(request_id: str) -> str:
    return request_id.replace("-", "").lower()


def _first_span_of(trace: str) -> str:
    """The half of a UUID that holds its variant and its chance: never zero, and no other request's."""
    return trace[16:]
