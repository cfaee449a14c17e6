"""Writing on a locked product: whether it reads alike before any mark and in the finished file.

Read only where the rule set has writing on pictures read. What was read is kept nowhere: the record says how many lines
there were and whether they are alike. Writing that changed, or that nobody could compare, waits for a person.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from policy.errors import PolicyUnavailable
from policy.images.texts import TextScreen
from policy.marks.cutouts.files import decode_flat
from policy.marks.locks.product_lock import ProductLock
from policy.marks.marker import Marked
from policy.verdict import Decision, Finding, Stage
from workers.masks.proof import written


class Writing(NamedTuple):
    """The record for provenance, and why the picture waits, if it does."""

    record: dict[str, Any]
    findings: tuple[Finding, ...]


def compared(reader: TextScreen | None, screened: np.ndarray, file: Marked, lock: ProductLock) -> Writing:
    """The writing on the product of a screened picture, uint8 [H, W, 3], beside that of its original file."""
    if reader is None:
        return Writing({"writing": {"alike": None, "lines": None}}, ())
    try:
        before, after = written(reader, screened, decode_flat(file.data, file.media_type), lock.alpha)
    except PolicyUnavailable as error:
        found = Finding(Decision.HOLD, Stage.MARK, "lock", "lock/writing-unread", detail=str(error))
        return Writing({"writing": {"alike": None, "lines": None}}, (found,))
    record = {"writing": {"alike": before == after, "lines": len(before)}}
    if before == after:
        return Writing(record, ())
    said = f"the writing on the product reads otherwise in the finished file ({len(before)} lines before it)"
    return Writing(record, (Finding(Decision.HOLD, Stage.MARK, "lock", "lock/writing", detail=said),))
