"""Table of all families, found by the pipeline class that a card names."""

from __future__ import annotations

from workers.sampling.families.family import Family
from workers.sampling.families.transformers import TRANSFORMERS
from workers.sampling.families.unets import UNETS

FAMILIES = {family.name: family for family in (*UNETS, *TRANSFORMERS)}
_BY_PIPELINE = {call.pipeline: family for family in FAMILIES.values() for call in family.calls.values()}


def pipelines() -> tuple[str, ...]:
    """Every pipeline class that a card may name."""
    return tuple(sorted(_BY_PIPELINE))


def family_of(pipeline: str) -> Family:
    """The family that a pipeline class belongs to. Raises KeyError for one that is not in the table."""
    return _BY_PIPELINE[pipeline]
