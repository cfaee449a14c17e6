"""Course of a request: its forecast beside what it took, and the curves of its breaker as they decide."""

from __future__ import annotations

from math import log

import pytest

from tests.support.campaigns import settled_campaign
from tests.support.client import ApiTenant, campaign, problem
from workers.jobs.control import breaker


def test_the_curves_end_where_the_breaker_stands(api: ApiTenant) -> None:
    sent = settled_campaign(api)  # two released, one failed, one held, one still open
    with api.server.line.worker.begin() as conn:
        breaker.count(conn)
    told = sent.caller.get(f"/v1/requests/{sent.id}/course").json()
    assert told["images"] == 5
    assert (told["gpu_seconds"], told["cost"]) == (None, None)
    assert "fewer than 30 batches" in told["message"]
    curves = {curve["test"]: curve for curve in told["breaker"]["curves"]}
    assert {test: (curve["rows"], curve["bad"]) for test, curve in curves.items()} == {
        "policy": (4, 0),
        "failures": (4, 2),  # the held one has no marks: nothing of it could be released
        "rejections": (2, 0),
    }
    assert curves["failures"]["points"][0] == 0
    assert curves["failures"]["points"][-1] == pytest.approx(curves["failures"]["sum"], abs=0.01)
    assert max(curves["failures"]["points"]) <= 2 * log(4) + 0.01 < told["breaker"]["threshold"]
    problem(api.server.caller("another-tenant").get(f"/v1/requests/{sent.id}/course"), 404, "not_found")


def test_a_request_of_few_rows_has_no_breaker(api: ApiTenant) -> None:
    sent = campaign(api.caller(), "object\ncar\nhat\n", template="a {object}")
    assert api.caller().get(f"/v1/requests/{sent.json()['id']}/course").json()["breaker"] is None
