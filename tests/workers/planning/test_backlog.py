"""Backlog: what dashboards read about waiting items and batches in flight."""

from __future__ import annotations

from prometheus_client import REGISTRY

from tests.support.line import Line
from workers.planning import backlog


def test_dashboards_read_depth_age_and_batches_in_flight(line: Line, settings_for):
    settings = settings_for("worker", max_batch=1)
    line.submit("acme", 3)
    line.claimed(1)
    backlog.measure(line.worker, settings)
    gauge = REGISTRY.get_sample_value
    assert gauge("presswork_pending_items", {"queue": "gpu", "priority": "bulk"}) == 3
    assert gauge("presswork_open_batches", {"queue": "gpu", "state": "running"}) == 1
    assert gauge("presswork_oldest_pending_seconds", {"queue": "gpu"}) > 0
    line.dispatch(line.pending())
    backlog.measure(line.worker, settings)
    assert gauge("presswork_pending_items", {"queue": "gpu", "priority": "bulk"}) == 0
    assert gauge("presswork_oldest_pending_seconds", {"queue": "gpu"}) == 0
