"""Named points at which the crash tests kill a process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from workers.crash import POINTS, killer, no_probe

KILLED = -signal.SIGKILL


def exit_status(crash_point: str, reached: str, custom_ids: tuple[str, ...]) -> int:
    """How a process ends that passes the point with a claim on such items."""
    program = f"""
from workers.crash import killer
from workers.jobs.types import Claim, ClaimedItem
items = tuple(ClaimedItem("i", "r", "acme", custom_id, 0, "", "", 1) for custom_id in {custom_ids!r})
killer({crash_point!r})({reached!r}, Claim("b", 1, None, "gpu", items) if items else None)
"""
    return subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode


def test_without_a_point_nothing_is_ever_killed():
    assert killer("") is no_probe
    for point in POINTS:
        no_probe(point, None)


@pytest.mark.parametrize(
    ("crash_point", "reached", "custom_ids", "status"),
    [
        ("claimed", "claimed", ("a",), KILLED),
        ("claimed", "sampled", ("a",), 0),
        ("received", "received", (), KILLED),
        ("claimed@b", "claimed", ("a", "b"), KILLED),
        ("claimed@b", "claimed", ("a",), 0),
    ],
)
def test_a_process_dies_at_its_point_and_nowhere_else(crash_point, reached, custom_ids, status):
    assert exit_status(crash_point, reached, custom_ids) == status


@pytest.mark.parametrize("crash_point", ["nowhere", "claim", "received@a", "dispatched@a"])
def test_a_point_that_cannot_be_reached_is_named_at_the_start(crash_point):
    with pytest.raises(ValueError, match="PRESSWORK_CRASH_POINT"):
        killer(crash_point)
