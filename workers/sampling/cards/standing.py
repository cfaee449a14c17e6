"""Standing of a model with one tenant today: what its card and the decisions about it come to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from workers.jobs.models.decisions import StandingDecision
from workers.sampling.cards.limits import not_usable
from workers.sampling.cards.registry import ModelCard
from workers.states import ModelState


class ModelStanding(NamedTuple):
    """`state` is of the installation's decision, or of the tenant's that retired it. `why` is None: it may be used."""

    state: ModelState
    visible: bool  # a tenant that it is not approved for does not see it
    expires: date | None  # the earlier of the card's last day and the approval's
    decision: StandingDecision | None
    why: str | None


def standing_of(
    card: ModelCard,
    decisions: Sequence[StandingDecision],
    *,
    tenant: str | None,
    today: date,
    require_approved: bool,
    require_stated: bool,
) -> ModelStanding:
    """`tenant` None asks for the installation as a whole."""
    about = [one for one in decisions if (one.model, one.model_revision) == (card.name, card.revision)]
    general = next((one for one in about if one.tenant is None), None)
    own = next((one for one in about if one.tenant is not None and one.tenant == tenant), None)
    deciding = own if own is not None and own.state is ModelState.RETIRED else general
    state = deciding.state if deciding else ModelState.UNDECIDED
    named = general.tenants if general and general.state is ModelState.APPROVED else None
    last_days = [day for day in (card.expires, *(one.expires for one in (general, own) if one)) if day is not None]
    expires = min(last_days, default=None)
    why = not_usable(card, today, expires=expires, require_stated=require_stated)
    if state is ModelState.RETIRED:
        why = f"{card.name} was retired" + (f": {deciding.reason}" if deciding and deciding.reason else "")
    elif state is ModelState.UNDECIDED and require_approved:
        why = f"nobody approved {card.name} at its revision {card.revision[:19]}, and this installation requires it"
    return ModelStanding(state, named is None or tenant is None or tenant in named, expires, deciding, why)
