"""Lock rules of a rule set: whether a file of a strictly locked product may leave without a watermark."""

from __future__ import annotations

from typing import Literal

from policy.rulebook.parts import RuleSetPart


class LockPart(RuleSetPart):
    """`lock:` in the file. Without it, what cannot carry a watermark beside its product is held."""

    without_watermark: Literal["allow", "forbid"] = "forbid"
