"""Exporter of spans, in a thread of its own: OTLP over HTTP in JSON (OpenTelemetry protocol 1.9, section OTLP/HTTP).

Nobody waits for the collector: `add` puts a span into a bounded queue, and what does not fit is dropped. What the
collector does not take is dropped too, with one line in the log for each outage. Killed: the last seconds are lost.
"""

from __future__ import annotations

import atexit
import json
import queue
import socket
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any

import structlog

from workers.tracing.spans import Attribute, Span
from workers.version import VERSION

log = structlog.get_logger()
_KEPT = 4096  # spans that wait; about 2 MB
_AT_ONCE = 512
_EVERY_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_SERVER, _INTERNAL = 2, 1  # SpanKind
_ERROR = 2  # StatusCode


class Exporter:
    """Sends what is added to one collector. Any thread may add."""

    def __init__(self, url: str, process: str) -> None:
        self._url, self._process = url, process
        self._waiting: queue.Queue[Span] = queue.Queue(_KEPT)
        self._stop = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, span: Span) -> None:
        """Never waits."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._tell("the queue is full")

    def close(self) -> None:
        """Send what waits. Takes two answers of the collector at the most. Safe to repeat."""
        self._stop.set()
        self._thread.join(2 * _ANSWER_SECONDS)
        atexit.unregister(self.close)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while spans := self._taken():
            if not self._send(spans):
                return  # away: the next try is after a pause, and what came meanwhile may be dropped

    def _taken(self) -> list[Span]:
        taken: list[Span] = []
        try:
            while len(taken) < _AT_ONCE:
                taken.append(self._waiting.get_nowait())
        except queue.Empty:
            pass
        return taken

    def _send(self, spans: Sequence[Span]) -> bool:
        body = json.dumps(message(spans, self._process)).encode()
        asked = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - a setting
        try:
            with urllib.request.urlopen(asked, timeout=_ANSWER_SECONDS):  # noqa: S310
                self._away = False
                return True
        except (OSError, HTTPException, ValueError) as error:  # urllib's own errors are of the first class
            self._tell(type(error).__name__)
            return False

    def _tell(self, reason: str) -> None:
        if not self._away:
            self._away = True
            log.warning("traces_not_sent", reason=reason)


def message(spans: Sequence[Span], process: str) -> dict[str, Any]:
    """An ExportTraceServiceRequest."""
    resource = {"service.name": f"presswork-{process}", "service.version": VERSION, "host.name": socket.gethostname()}
    scope = {"scope": {"name": "presswork", "version": VERSION}, "spans": [_told(span) for span in spans]}
    return {"resourceSpans": [{"resource": {"attributes": _listed(resource)}, "scopeSpans": [scope]}]}


def _told(span: Span) -> dict[str, Any]:
    told: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _SERVER if span.server else _INTERNAL,
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _listed(span.attributes),
    }
    if span.parent_id:
        told["parentSpanId"] = span.parent_id
    if span.link:
        told["links"] = [{"traceId": span.link[0], "spanId": span.link[1]}]
    if span.failed:
        told["status"] = {"code": _ERROR, "message": span.failed}
    return told


def _listed(attributes: Mapping[str, Attribute]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Attribute) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
