"""Reproductions over HTTP: a released image is drawn again by its recipe and seed, and both receipts are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import text

from tests.support.client import ApiTenant, problem
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import SamplingPosition
from workers.recipes import Recipe


def drawn(api: ApiTenant, *, size: int = 1, **receipt: str) -> str:
    """The asset that the tenant's one pending item becomes."""
    line = api.server.line
    (item,) = [row for row in api.items() if row.state == "pending"]
    with line.worker.begin() as conn:
        batch = dispatch(conn, "gpu", item.recipe_id, [item.id], lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch), LEASE, "worker-1")
        assert held is not None
        position = SamplingPosition(size, 0, "cpu", receipt)
        outcome = replace(released(held, held.items[0]), position=position)
        settle(conn, held, [outcome])
    return outcome.asset_id


def asked(api: ApiTenant, **more: Any) -> None:
    answer = api.caller().post("/v1/requests", json={"prompt": "a car", "seed": 7, "reproducible": "strict", **more})
    assert answer.status_code == 202, answer.text


def test_an_asset_is_drawn_again_and_is_the_same_to_the_bit(api: ApiTenant) -> None:
    weighed = {"prompt_syntax": "weights", "negative_prompt": "(blur:1.2)"}
    asked(api, loras=[{"name": "two-ink", "scale": 0.5}], guidance_scale=4, **weighed)
    first = drawn(api, pixels="a" * 64, torch="2.13.0")
    caller = api.caller()
    accepted = caller.post(f"/v1/assets/{first}/reproductions")
    assert accepted.status_code == 202, accepted.text
    (one, other) = api.items()
    assert (one.recipe_id, one.seed, one.prompt, one.negative_prompt) == (
        other.recipe_id, other.seed, other.prompt, other.negative_prompt,
    )  # fmt: skip
    here = f"/v1/assets/{first}/reproductions/{accepted.json()['id']}"
    waiting = caller.get(here).json()
    assert (waiting["state"], waiting["result"], waiting["drawn_asset_id"]) == ("pending", None, None)
    second = drawn(api, pixels="a" * 64, torch="2.13.0")
    found = caller.get(here).json()
    assert (found["result"], found["difference"], found["drawn_asset_id"]) == ("exact", None, second)


def test_the_first_field_that_differs_is_named(api: ApiTenant) -> None:
    asked(api)
    first = drawn(api, size=8, pixels="a" * 64, torch="2.12.0")
    caller = api.caller()
    request = caller.post(f"/v1/assets/{first}/reproductions").json()["id"]
    drawn(api, size=1, pixels="b" * 64, torch="2.13.0")
    found = caller.get(f"/v1/assets/{first}/reproductions/{request}").json()
    assert (found["result"], found["difference"]) == ("different", "batch_size: 8 then, 1 now")


def test_what_cannot_be_drawn_again_says_why(api: ApiTenant) -> None:
    asked(api)
    first = drawn(api, pixels="a" * 64)
    caller = api.caller()
    assert caller.get(f"/v1/assets/{first}/reproductions/{api.items()[0].request_id}").status_code == 404
    with api.server.line.owner.begin() as conn:
        conn.execute(
            text(
                "update assets set provenance = jsonb_set(provenance, '{recipe,model_revision}', :old) where id = :id"
            ),
            {"old": f'"sha256:{"9" * 64}"', "id": first},
        )
    changed = problem(caller.post(f"/v1/assets/{first}/reproductions"), 409, "conflict")
    assert "model_revision" in changed["detail"]
    with api.server.line.owner.begin() as conn:
        conn.execute(text("update items set prompt = '', negative_prompt = '', erased_at = now() where id = (select"
                          " item_id from assets where id = :id)"), {"id": first})  # fmt: skip
    erased = problem(caller.post(f"/v1/assets/{first}/reproductions"), 409, "conflict")
    assert "erased" in erased["detail"]


def test_a_strict_recipe_is_another_recipe_and_an_older_one_keeps_its_id() -> None:
    plain = Recipe("studio", "sha256:" + "1" * 64, 64, 64, 4, "DDIMScheduler", 1.0)
    strict = replace(plain, reproducible="strict")
    assert plain.id != strict.id
    assert "reproducible" not in plain.to_json()
    assert Recipe.from_json(strict.to_json()) == strict
