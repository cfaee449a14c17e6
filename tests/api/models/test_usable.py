"""Models that may not be used: who decided so, for whom, and how a request for one is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from api.schemas.requests import SingleBody
from api.submission.recipes import RecipeBook
from tests.support.client import ApiTenant, problem
from tests.support.line import Line
from workers.jobs.models.decisions import ModelDecision, StandingDecision, decide
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.cards.standing import ModelStanding, standing_of
from workers.settings import Settings
from workers.states import ModelState

MODELS = Path(__file__).parents[3] / "models"


def complaints(card: ModelCard, registry: Registry, **settings: bool) -> list[tuple[str, str | None]]:
    book = RecipeBook(card, Settings.model_construct(**Settings.model_construct().__dict__ | settings), registry)
    return [(found.code, found.field) for found in book.complaints(SingleBody(prompt="a car"))]


TODAY = date(2026, 6, 1)


def standing(
    card: ModelCard, *decisions: StandingDecision, tenant: str = "acme", approved: bool = False, stated: bool = False
) -> ModelStanding:
    return standing_of(card, decisions, tenant=tenant, today=TODAY, require_approved=approved, require_stated=stated)


def decision(card: ModelCard, state: str, **more: Any) -> StandingDecision:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    values = {"model": card.name, "model_revision": card.revision, "decided_by": "alice", "decided_at": at, **more}
    return StandingDecision(state=ModelState(state), **values)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return Registry.load(MODELS).get("studio")


def test_a_model_that_may_not_be_asked_for_is_refused_by_field(card: ModelCard) -> None:
    registry = Registry.load(MODELS)
    assert complaints(card, registry) == []
    assert complaints(card, registry.narrowed((), {"studio": "it was retired"})) == [("model_not_usable", "model")]


def test_an_expired_or_unstated_model_may_not_be_used(card: ModelCard) -> None:
    assert standing(card, stated=True).why is None
    assert "until 2020-01-01, which is over" in str(standing(replace(card, expires=date(2020, 1, 1))).why)
    unstated = replace(card, owner="unknown")
    assert standing(unstated).why is None
    assert "nobody stated owner" in str(standing(unstated, stated=True).why)


def test_only_the_approved_revision_may_be_used_where_approval_is_required(card: ModelCard) -> None:
    assert standing(card).why is None
    assert "nobody approved studio" in str(standing(card, approved=True).why)
    assert standing(card, decision(card, "approved"), approved=True).why is None
    other = decision(card, "approved", model_revision="sha256:" + "0" * 64)
    assert "nobody approved studio" in str(standing(card, other, approved=True).why)


def test_an_approval_ends_after_its_last_day_and_a_retirement_holds_for_all(card: ModelCard) -> None:
    assert standing(card, decision(card, "approved", expires=TODAY)).why is None
    assert "which is over" in str(standing(card, decision(card, "approved", expires=date(2026, 5, 31))).why)
    assert standing(card, decision(card, "retired", reason="no licence")).why == "studio was retired: no licence"


def test_a_tenant_sees_what_it_is_approved_for_and_narrows_no_other(card: ModelCard) -> None:
    for_acme = decision(card, "approved", tenants=("acme",))
    assert standing(card, for_acme).visible
    assert not standing(card, for_acme, tenant="globex").visible
    own = decision(card, "retired", tenant="acme")
    assert standing(card, own).state == ModelState.RETIRED
    assert standing(card, own, tenant="globex").why is None


def test_a_tenant_cannot_approve_what_the_installation_did_not(card: ModelCard) -> None:
    own = decision(card, "approved", tenant="acme")
    assert "nobody approved" in str(standing(card, own, approved=True).why)
    assert "was retired" in str(standing(card, own, decision(card, "retired")).why)
    assert not standing(card, own, decision(card, "approved", tenants=("globex",))).visible


def test_a_decision_holds_for_the_next_call_and_is_an_event(api: ApiTenant) -> None:
    caller = api.caller()
    named = {"name": "alice", "scopes": ["admin", "read", "submit"], "person": "alice"}
    caller.headers["Authorization"] = f"Bearer {caller.post('/v1/keys', json=named).json()['key']}"
    retired = caller.put("/v1/models/studio/decision", json={"state": "retired", "reason": "the licence ended"})
    assert (retired.status_code, retired.json()["decided_by"]) == (200, "alice")
    document = problem(caller.post("/v1/requests", json={"prompt": "a car"}), 422, "invalid_body")
    assert [(error["code"], error["message"]) for error in document["errors"]] == [
        ("model_not_usable", "studio was retired: the licence ended")
    ]
    shown = caller.get("/v1/models/studio").json()
    assert (shown["state"], shown["refused"]) == ("retired", "studio was retired: the licence ended")
    caller.put("/v1/models/studio/decision", json={"state": "approved"})
    assert caller.post("/v1/requests", json={"prompt": "a car"}).status_code == 202
    ((retirement,), (approval,)) = (api.events("model.retired"), api.events("model.approved"))
    assert retirement.event["model_revision"] == approval.event["model_revision"] == shown["revision"]
    assert "alice" not in str(retirement.event)


def test_a_decision_needs_an_admin_with_a_name(api: ApiTenant) -> None:
    asked = {"state": "retired"}
    assert api.caller(["submit", "read"]).put("/v1/models/studio/decision", json=asked).status_code == 403
    problem(api.caller().put("/v1/models/studio/decision", json=asked), 403, "forbidden")


def test_a_model_for_others_is_as_one_that_is_not_installed(api: ApiTenant) -> None:
    card = Registry.load(MODELS).get("studio")
    line = api.server.line
    line.add_tenant("globex")
    for_globex = decision(card, "approved", tenants=("globex",))
    caller = api.caller()
    try:
        decide_now(line, for_globex)
        assert [model["name"] for model in caller.get("/v1/models").json()["data"]] == []
        assert caller.get("/v1/models/studio").status_code == 404
        problem(caller.post("/v1/requests", json={"prompt": "a car", "model": "studio"}), 422, "model_missing")
    finally:
        decide_now(line, replace(for_globex, tenants=None))
    assert caller.post("/v1/requests", json={"prompt": "a car", "model": "studio"}).status_code == 202


def decide_now(line: Line, made: StandingDecision) -> None:
    with line.worker.begin() as conn:
        asked = ModelDecision(**{field.name: getattr(made, field.name) for field in fields(ModelDecision)})
        decide(conn, asked, actor="test")


def test_an_option_that_the_scheduler_lacks_is_refused_by_field() -> None:
    registry = Registry.load(MODELS)
    book = RecipeBook(registry.get("studio"), Settings.model_construct(), registry)
    asked = SingleBody(prompt="a car", scheduler="DPMSolverMultistepScheduler", scheduler_options=["sde", "karras"])
    assert book.complaints(asked) == []
    assert book.recipe(book.options(asked)).scheduler_options == ("karras", "sde")
    [wrong] = book.complaints(asked.model_copy(update={"scheduler": "DDIMScheduler"}))
    assert (wrong.code, wrong.field) == ("model_limit", "scheduler_options")
