"""Models of a tenant: what is installed and approved for it, with the reason where one may not be used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from api.edge.dependencies import Parts
from workers.jobs.models.decisions import standing_decisions
from workers.sampling.cards.registry import Registry
from workers.sampling.cards.standing import ModelStanding, standing_of


def tenant_models(parts: Parts, tenant: str) -> Registry:
    """Read anew for every call: a model that is retired is refused from that commit on."""
    found = tenant_standings(parts, tenant)
    hidden = {name for name, standing in found.items() if not standing.visible}
    return parts.registry.narrowed(hidden, {name: one.why for name, one in found.items() if one.why is not None})


def tenant_standings(parts: Parts, tenant: str) -> Mapping[str, ModelStanding]:
    """By name, of every installed model. Days are those of UTC."""
    with parts.transaction(tenant) as conn:
        decisions = standing_decisions(conn, tenant)
    today = datetime.now(UTC).date()
    return {
        name: standing_of(
            card,
            decisions,
            tenant=tenant,
            today=today,
            require_approved=parts.settings.require_approved_models,
            require_stated=parts.settings.require_stated_models,
        )
        for name, card in parts.registry.cards.items()
    }
