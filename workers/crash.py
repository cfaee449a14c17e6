"""Crash points: named places at which a test may kill the process. In production the probe does nothing.

    dispatched (planner) after the commit, before the messages are sent
    received  before the claim          claimed    after its commit
    sampling  in the middle of a run    sampled    pixels are there, nothing stored
    finishing after the first image     finished   everything stored, nothing settled
    settled   after the commit, before the message is acknowledged
    copied (clerk) a reviewed picture lies under released/, nothing settled
    reviewed (clerk) after that commit, before quarantine is emptied
    withdrawn (clerk) assets are recalled, no object is moved yet
    removing (clerk) a recalled object is copied, the original still there
    moved    (clerk) the original is gone, and no row says so yet
    erasing  (clerk) texts are deleted in a transaction that is not committed
    erased   (clerk) after that commit
    given_up (clerk) an event gives an object up, its bytes are still there
    deleted  (clerk) the bytes are gone, and the row that orders it is still there
    questioned (identify) a question is claimed, nothing is known yet
    answered (identify) after the answer's commit, before the upload is deleted

PRESSWORK_CRASH_POINT is "<point>", or, from the claim on, "<point>@<custom_id>" for batches that hold
such an item.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from workers.jobs.types import Claim

Probe = Callable[[str, Claim | None], None]
POINTS = (
    *("dispatched", "received", "claimed", "sampling", "sampled", "finishing", "finished", "settled"),
    *("copied", "reviewed", "withdrawn", "removing", "moved"),
    *("erasing", "erased", "given_up", "deleted"),
    *("questioned", "answered"),
)
_WITHOUT_CLAIM = (
    "dispatched",
    "received",
    *POINTS[POINTS.index("copied") :],
)  # the clerk and identify work on no claim


def no_probe(point: str, held: Claim | None) -> None:
    """Production: every point passes."""


def killer(crash_point: str) -> Probe:
    """A probe that kills this process (SIGKILL) at the point. Raises ValueError for an unknown one."""
    if not crash_point:
        return no_probe
    wanted, _, custom_id = crash_point.partition("@")
    if wanted not in POINTS:
        raise ValueError(f"PRESSWORK_CRASH_POINT={crash_point!r}: the points are {', '.join(POINTS)}")
    if custom_id and wanted in _WITHOUT_CLAIM:
        raise ValueError(f"PRESSWORK_CRASH_POINT={crash_point!r}: no item is known yet at {wanted}")

    def probe(point: str, held: Claim | None) -> None:
        if point == wanted and (not custom_id or _holds(held, custom_id)):
            os.kill(os.getpid(), signal.SIGKILL)

    return probe


def _holds(held: Claim | None, custom_id: str) -> bool:
    return held is not None and any(item.custom_id == custom_id for item in held.items)
