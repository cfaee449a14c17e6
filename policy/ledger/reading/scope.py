"""Scope of an auditor's question: time, tenant, campaign, maker, policy version, rule and category. Pure.

Every view that a question reads has the columns that these narrow: recorded_at, tenant, request_id, makers,
policy_version, rules, categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_CAMPAIGN = """request_id IN (
  SELECT c.request_id FROM audit.campaigns c WHERE c.request_id = :campaign OR c.name = :campaign)"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is narrowed to. None means everything; several mean all of them."""

    since: datetime | None = None  # from this moment on
    until: datetime | None = None  # before this moment
    tenant: str | None = None
    campaign: str | None = None  # the name of a request, while that was not erased, or its id
    model: str | None = None
    revision: str | None = None
    lora: str | None = None
    policy: str | None = None  # the digest of a rule set
    rule: str | None = None
    category: str | None = None

    @property
    def makers(self) -> list[str]:
        given = (("model", self.model), ("revision", self.revision), ("lora", self.lora))
        return [f"{noun}:{name}" for noun, name in given if name is not None]

    def where(self) -> tuple[str, dict[str, Any]]:
        """A condition in SQL, and its values."""
        parts, values = ["true"], dict[str, Any]()
        for condition, name, value in self._conditions():
            parts.append(condition)
            values[name] = value
        return " AND ".join(parts), values

    def _conditions(self) -> Iterator[tuple[str, str, Any]]:
        for condition, name, value in (
            ("recorded_at >= :since", "since", self.since),
            ("recorded_at < :until", "until", self.until),
            ("tenant = :tenant", "tenant", self.tenant),
            (_CAMPAIGN, "campaign", self.campaign),
            ("makers @> CAST(:makers AS text[])", "makers", self.makers or None),
            ("policy_version = :policy", "policy", self.policy),
            ("rules @> ARRAY[CAST(:rule AS text)]", "rule", self.rule),
            ("categories @> ARRAY[CAST(:category AS text)]", "category", self.category),
        ):
            if value is not None:
                yield condition, name, value


EVERYTHING = Scope()
