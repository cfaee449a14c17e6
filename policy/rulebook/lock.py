"""Lock rules of a rule set: whether a strictly locked product, or a thin one cut out, may leave without a watermark."""

from __future__ import annotations

from typing import Literal

from policy.rulebook.parts import RuleSetPart


class LockPart(RuleSetPart):
    """`lock:` in the file. Without it, what cannot carry a watermark beside its product is held."""

    without_watermark: Literal["allow", "forbid"] = "forbid"


class CutoutPart(RuleSetPart):
    """`cutout:` in the file. Without it, a cut-out that is too small or too thin for a watermark is held."""

    without_watermark: Literal["allow", "forbid"] = "forbid"
