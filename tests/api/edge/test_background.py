"""Background work: once for each name, tenants in turns, bounded, and an error stops nothing."""

from __future__ import annotations

import threading

from structlog.testing import capture_logs

from api.edge.limits import background
from api.edge.limits.background import Background


def test_tenants_take_turns_and_a_name_is_done_once() -> None:
    work, gate, done = Background(), threading.Event(), list[str]()
    work.offer("greedy", "first", gate.wait)
    for tenant, name in (("greedy", "a"), ("greedy", "b"), ("greedy", "a"), ("small", "c")):
        assert work.offer(tenant, name, lambda name=name: done.append(name))
    gate.set()
    settled = threading.Event()
    work.offer("small", "last", settled.set)
    assert settled.wait(60)
    work.close()
    assert sorted(done) == ["a", "b", "c"]
    assert done.index("c") < done.index("b")


def test_a_full_queue_and_a_closed_process_refuse(monkeypatch) -> None:
    monkeypatch.setattr(background, "_QUEUE", 1)
    work, gate, begun = Background(), threading.Event(), threading.Event()
    work.offer("a", "running", lambda: (begun.set(), gate.wait()))
    assert begun.wait(60)
    assert [work.offer("a", name, gate.wait) for name in ("one", "two")] == [True, False]
    assert work.offer("b", "three", gate.wait)
    gate.set()
    work.close()
    assert not work.offer("a", "four", gate.wait)


def test_an_error_is_logged_and_the_next_piece_runs() -> None:
    work, done = Background(), threading.Event()
    with capture_logs() as logs:
        work.offer("a", "broken", lambda: 1 / 0)
        work.offer("a", "sound", done.set)
        assert done.wait(60)
        work.close()
    assert [(line["event"], line["error"]) for line in logs] == [("background_work_failed", "ZeroDivisionError")]
