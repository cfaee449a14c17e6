"""Spans of a request, as a collector receives them: one trace from the submission to the webhook."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.client import ApiTenant
from tests.support.fakes import FakeSampler
from tests.support.line import Line
from tests.support.recalls import Recalling
from tests.support.receiver import Receiver, deliver, listen, receiving
from tests.support.worker import Works
from workers.errors import OutOfMemory
from workers.jobs.types import new_id
from workers.settings import Settings
from workers.tracing import spans
from workers.tracing.otlp import Exporter
from workers.tracing.spans import Span, traced

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
DATABASE = "postgresql+psycopg://presswork@127.0.0.1/presswork"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """A collector to which this process sends what it records."""
    with receiving() as running:
        spans.configure(Settings(database_url=DATABASE, otlp_url=f"http://127.0.0.1:{running.port}/v1/traces"), "test")
        yield running
        spans.flush()


def _sent(collector: Receiver) -> list[dict[str, Any]]:
    """Every span that was recorded until now; nothing is recorded after it."""
    spans.flush()
    resources = [one for got in collector.got for one in json.loads(got.body)["resourceSpans"]]
    return [span for one in resources for scope in one["scopeSpans"] for span in scope["spans"]]


def _attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_submission_begins_its_trace_and_links_to_that_of_its_caller(api: ApiTenant, collector: Receiver) -> None:
    parent = f"00-{CALLER}-00f067aa0ba902b7-01"
    accepted = api.caller().post("/v1/requests", json={"prompt": "a car"}, headers={"traceparent": parent}).json()
    first, call = _sent(collector)
    trace = accepted["id"].replace("-", "")
    assert (first["name"], first["traceId"], first["spanId"]) == ("submit", trace, trace[16:])
    assert "parentSpanId" not in first
    assert first["links"] == [{"traceId": CALLER, "spanId": call["spanId"]}]
    assert _attributes(first) == {"tenant": api.tenant, "kind": "single", "items": "1"}
    assert (call["name"], call["traceId"], call["parentSpanId"]) == ("POST /v1/requests", CALLER, "00f067aa0ba902b7")
    assert _attributes(call)["http.response.status_code"] == "202"


def test_the_call_of_a_caller_who_does_not_sample_is_no_span(api: ApiTenant, collector: Receiver) -> None:
    caller = api.caller()
    caller.get("/v1/models", headers={"traceparent": f"00-{CALLER}-00f067aa0ba902b7-00"})
    caller.get("/v1/models")
    assert _sent(collector) == []


def test_a_batch_and_the_webhook_of_its_release_are_in_the_trace_of_their_request(
    line: Line, settings_for: Any, s3: Any, collector: Receiver
) -> None:
    with receiving() as receiver:
        works = Works(line, settings_for, s3)
        batch_id = works.batch(1)
        listen(line, receiver.url)
        works.executor(FakeSampler()).run(batch_id)
        assert deliver(Recalling(line, settings_for, s3)) == 1
        (told,) = receiver.got
    batch, sample, webhook = sorted(_sent(collector), key=lambda span: str(span["name"]))
    trace = json.loads(told.body)["data"]["request_id"].replace("-", "")
    assert {span["traceId"] for span in (batch, sample, webhook)} == {trace}
    assert batch["parentSpanId"] == webhook["parentSpanId"] == trace[16:], "both follow the submission"
    assert sample["parentSpanId"] == batch["spanId"]
    assert told.headers["traceparent"] == f"00-{trace}-{webhook['spanId']}-01", "the receiver can go on"
    assert "red kettle" not in str(batch | sample | webhook), "no prompt is recorded"


def test_a_span_stands_in_the_trace_of_each_request_and_names_what_ended_it(collector: Receiver) -> None:
    one, other = new_id(), new_id()
    with pytest.raises(OutOfMemory), traced("batch", [one, other], attempt=2):
        raise OutOfMemory("no room")
    sent = _sent(collector)
    assert {span["traceId"] for span in sent} == {id.replace("-", "") for id in (one, other)}
    assert [span["status"] for span in sent] == [{"code": 2, "message": "OutOfMemory"}] * 2
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in sent)


def test_without_a_collector_nothing_is_recorded_or_started() -> None:
    before = threading.active_count()
    spans.configure(Settings(database_url=DATABASE), "test")
    with traced("batch", [new_id()]):
        assert spans.traceparent(new_id()) == ""
    assert threading.active_count() == before


def test_a_collector_that_answers_something_else_than_http_ends_no_thread() -> None:
    """Such as the gRPC port of a collector, which the setting names by mistake."""
    with socket.create_server(("127.0.0.1", 0)) as other, capture_logs() as lines:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    asking, _ = other.accept()
                    asking.sendall(b"\x00\x00\x12\x04 no HTTP at all\r\n")
                    asking.close()

        threading.Thread(target=answer, daemon=True).start()
        exporter = Exporter(f"http://127.0.0.1:{other.getsockname()[1]}/v1/traces", "test")
        exporter.add(Span("0" * 31 + "1", "0" * 15 + "1", "", "batch", 1, 2))
        exporter.close()
        other.shutdown(socket.SHUT_RDWR)
    assert [line["event"] for line in lines] == ["traces_not_sent"]


def test_a_collector_that_is_away_costs_one_line_in_the_log_and_no_wait() -> None:
    with capture_logs() as lines:
        exporter = Exporter("http://127.0.0.1:9/v1/traces", "test")
        for _ in range(5000):  # more than it keeps
            exporter.add(Span("0" * 31 + "1", "0" * 15 + "1", "", "batch", 1, 2))
        exporter.close()
    assert [line["event"] for line in lines] == ["traces_not_sent"]
