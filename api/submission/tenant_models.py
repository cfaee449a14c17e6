"""Models of a tenant: what is installed and approved for it, with the reason where one may not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem, did_you_mean
from workers.jobs.models.decisions import standing_decisions
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.cards.standing import ModelStanding, standing_of


def tenant_models(parts: Parts, tenant: str) -> Registry:
    """Read anew for every call: a model that is retired is refused from that commit on."""
    found = tenant_standings(parts, tenant)
    hidden = {name for name, standing in found.items() if not standing.visible}
    why = {name: one.why for name, one in found.items() if one.why is not None}
    return replace(parts.registry.narrowed(hidden, why), aliases=parts.settings.model_alias_names)


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


def choose_model(registry: Registry, name: str | None) -> ModelCard:
    """The card asked for, by its name or a further one; without a name, the only one. Raises Problem naming them."""
    names = registry.names()
    asked, name = name, name and registry.named(name)
    if name is None and len(names) == 1:
        return registry.get(names[0])
    if name is not None and name in names:
        return registry.get(name)
    message = "more than one model is installed" if name is None else f"there is no model '{asked}'"
    if name is not None and ("model", name) in registry.unusable:
        message = f"the model '{name}' cannot be used here; GET /v1/models/unusable says why"
    remedy = f"The models are: {', '.join(names)}.{did_you_mean(asked or '', names)}"
    complaint = Complaint("model_missing", message, remedy, field="model")
    raise Problem("model_missing", f"{message}. {remedy}", errors=[complaint])
