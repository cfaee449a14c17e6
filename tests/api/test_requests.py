"""Single requests: what is asked, how far it has come, pages, and cancelling."""

from __future__ import annotations

from typing import Any

import pytest

from api.schemas.base import MAX_PAGE
from tests.support.client import ApiServer, ApiTenant, campaign, problem
from tests.support.line import LEASE
from workers.jobs.dispatch import dispatch
from workers.jobs.types import new_id
from workers.recipes import MAX_SEED, seed_for


def test_one_prompt_becomes_its_variants_at_the_models_own_size(api: ApiTenant) -> None:
    caller = api.caller()
    answer = caller.post("/v1/requests", json={"prompt": "a red car {as is}", "variants": 3, "custom_id": "hero"})
    accepted = answer.json()
    assert answer.status_code == 202
    assert (accepted["kind"], accepted["priority"], accepted["items"]) == ("single", "interactive", 3)
    card = caller.get("/v1/models").json()["data"][0]
    listed = caller.get(accepted["links"]["items"]).json()["data"]
    assert [(i["custom_id"], i["variant"], i["prompt"]) for i in listed] == [
        ("hero", variant, "a red car {as is}") for variant in range(3)
    ]
    assert [item["seed"] for item in listed] == [seed_for(accepted["id"], "hero", variant) for variant in range(3)]
    for item in listed:
        assert item["recipe"]["model_revision"] == card["revision"]
        for name in ("width", "height", "num_inference_steps", "guidance_scale", "scheduler"):
            assert item["recipe"][name] == card[name]


def test_a_named_seed_counts_up_by_variant(api: ApiTenant) -> None:
    caller = api.caller()
    asked = {"prompt": "a car", "seed": MAX_SEED - 1, "variants": 2}
    accepted = caller.post("/v1/requests", json=asked).json()
    assert [i["seed"] for i in caller.get(accepted["links"]["items"]).json()["data"]] == [MAX_SEED - 1, MAX_SEED]


def test_a_refused_prompt_is_an_answer_and_is_recorded(api: ApiTenant) -> None:
    caller = api.caller()
    answer = caller.post("/v1/requests", json={"prompt": "porn"})
    accepted = answer.json()
    assert answer.status_code == 202
    assert accepted["refused_items"] == 1
    assert accepted["refused"][0]["column"] == "prompt"
    status = caller.get(accepted["links"]["request"]).json()
    assert (status["state"], status["counts"]["refused"]) == ("finished", 1)
    (recorded,) = api.events("item.refused")
    assert recorded.event["verdict"]["decision"] == "refuse"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"prompt": ""}, "empty_prompt", "prompt"),
        ({"prompt": "  \n "}, "empty_prompt", "prompt"),
        ({"prompt": "x" * 2_001}, "prompt_too_long", "prompt"),
        ({"prompt": "x" * 10_001}, "too_long", "prompt"),
        ({"prompt": None}, "not_a_string", "prompt"),
        ({"prompt": ["a"]}, "not_a_string", "prompt"),
        ({"negative_prompt": "x" * 2_001}, "prompt_too_long", "negative_prompt"),
        ({"negative_prompt": "blurry", "guidance_scale": 0.5}, "model_limit", "negative_prompt"),
        ({"width": 0}, "too_small", "width"),
        ({"width": -1}, "too_small", "width"),
        ({"width": 9999999}, "model_limit", "width"),
        ({"width": 10**30}, "too_large", "width"),
        ({"width": "1024 "}, "not_an_integer", "width"),
        ({"width": "128"}, "not_an_integer", "width"),
        ({"width": 128.5}, "not_an_integer", "width"),
        ({"width": True}, "not_an_integer", "width"),
        ({"width": 100}, "model_limit", "width"),
        ({"height": 10001}, "model_limit", "height"),
        ({"num_inference_steps": 101}, "too_many_steps", "num_inference_steps"),
        ({"num_inference_steps": 0}, "too_small", "num_inference_steps"),
        ({"guidance_scale": -0.1}, "too_small", "guidance_scale"),
        ({"guidance_scale": 1e308}, "too_large", "guidance_scale"),
        ({"scheduler": "os.system"}, "model_limit", "scheduler"),
        ({"seed": -1}, "too_small", "seed"),
        ({"seed": 2**63}, "too_large", "seed"),
        ({"seed": MAX_SEED + 1}, "too_large", "seed"),
        ({"seed": MAX_SEED, "variants": 2}, "seed_too_large", "seed"),
        ({"variants": 0}, "too_small", "variants"),
        ({"variants": 17}, "too_many_variants", "variants"),
        ({"priority": "now"}, "not_a_choice", "priority"),
        ({"priority": None}, "not_a_choice", "priority"),
        ({"model": "../studio"}, "model_missing", "model"),
        ({"name": "x" * 201}, "too_long", "name"),
        ({"name": "a\u202eb"}, "invalid", "name"),
        ({"custom_id": ""}, "too_short", "custom_id"),
        ({"metadata": {str(n): n for n in range(17)}}, "too_long", "metadata"),
        ({"metadata": {"a" * 65: 1}}, "invalid", "metadata"),
        ({"metadata": {"a": "x" * 513}}, "invalid", "metadata"),
        ({"metadata": {"a": 2**53}}, "invalid", "metadata"),
        ({"metadata": {"a": -1e300}}, "invalid", "metadata"),
        ({"metadata": {"a\u200b": 1}}, "invalid", "metadata"),
        ({"metadata": {"a": "\x1b[2J"}}, "invalid", "metadata"),
        ({"metadata": {"": 1}}, "invalid", "metadata"),
        ({"metadata": {"a": [1]}}, "invalid", "metadata"),
        ({"tenant": "other"}, "unknown_field", "tenant"),
        ({"template": "a {b}"}, "unknown_field", "template"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    api: ApiTenant, changes: dict[str, Any], code: str, field: str
) -> None:
    answer = api.caller().post("/v1/requests", json={"prompt": "a car", **changes})
    document = problem(answer, 422, "model_missing" if code == "model_missing" else "invalid_body")
    assert (code, field) in [(error["code"], error["field"]) for error in document["errors"]]
    assert api.stored() == 0


def test_every_wrong_field_is_named_at_once(api: ApiTenant) -> None:
    asked = {"prompt": "a car", "width": 7, "height": 9999, "num_inference_steps": 1000, "variants": 99}
    document = problem(api.caller().post("/v1/requests", json=asked), 422, "invalid_body")
    assert {error["field"] for error in document["errors"]} == {"width", "height", "num_inference_steps", "variants"}


@pytest.mark.parametrize(
    ("limit", "asked", "code"),
    [
        ({"max_pixels": 64 * 64}, {}, "too_many_pixels"),
        ({"max_steps": 4}, {"num_inference_steps": 5}, "too_many_steps"),
        ({"max_variants": 2}, {"variants": 3}, "too_many_variants"),
        ({"max_items": 1}, {"variants": 2}, "too_many_variants"),
        ({"max_prompt_chars": 3}, {}, "prompt_too_long"),
        ({"max_megapixel_steps": 1}, {"variants": 16}, "too_much_work"),
    ],
)
def test_every_limit_of_the_installation_holds(
    api: ApiTenant, limit: dict[str, int], asked: dict[str, int], code: str
) -> None:
    answer = api.caller(**limit).post("/v1/requests", json={"prompt": "a car", **asked})
    document = problem(answer, 422, "invalid_body")
    assert [error["code"] for error in document["errors"]] == [code]


def test_counts_follow_the_items_and_add_up(own_api: ApiServer) -> None:
    line = own_api.line
    caller = own_api.caller("acme")
    accepted = campaign(caller, "object,colour\n" + "car,red\n" * 4 + "porn,red\n").json()
    ids = [item["id"] for item in caller.get(accepted["links"]["items"]).json()["data"]]
    recipe = line.item(ids[0]).recipe_id
    with line.worker.begin() as conn:
        dispatch(conn, "gpu", recipe, ids[:3], lease=LEASE, claims_allowed=2)
    assert caller.post(f"/v1/items/{ids[3]}/cancel").json() == {"cancelled": 1}
    status = caller.get(accepted["links"]["request"]).json()
    assert status["counts"] == {
        "pending": 0,
        "planned": 3,
        "released": 0,
        "held": 0,
        "refused": 1,
        "failed": 0,
        "cancelled": 1,
        "recalled": 0,
    }
    assert sum(status["counts"].values()) == status["items"] == 5
    assert status["state"] == "open"
    assert caller.post(f"/v1/requests/{accepted['id']}/cancel").json() == {"cancelled": 3}
    assert caller.get(accepted["links"]["request"]).json()["state"] == "finished"


def test_cancelling_is_harmless_when_repeated_and_is_recorded(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = campaign(caller).json()
    item_id = api.items()[0].id
    assert [caller.post(f"/v1/items/{item_id}/cancel").json()["cancelled"] for _ in range(2)] == [1, 0]
    assert [caller.post(f"/v1/requests/{accepted['id']}/cancel").json()["cancelled"] for _ in range(2)] == [1, 0]
    assert {item.state for item in api.items()} == {"cancelled"}
    assert caller.get(accepted["links"]["request"]).json()["cancelled_at"] is not None
    assert len(api.events("item.cancelled")) == 1
    (recorded,) = api.events("request.cancelled")
    assert recorded.actor.startswith("key:")


def test_pages_hold_every_item_once_in_the_order_of_the_file(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = campaign(caller, "object,colour\n" + "car,red\n" * 7, variants=3).json()
    seen, cursor, pages = [], "", 0
    while True:
        answer = caller.get(accepted["links"]["items"], params={"limit": 4, "cursor": cursor}).json()
        seen += [(item["row"], item["variant"]) for item in answer["data"]]
        pages += 1
        if (cursor := answer["next_cursor"]) is None:
            break
    assert seen == [(row, variant) for row in range(1, 8) for variant in range(3)]
    assert pages == 6


def test_requests_are_listed_newest_first_page_by_page(api: ApiTenant) -> None:
    caller = api.caller()
    ids = [caller.post("/v1/requests", json={"prompt": "a car"}).json()["id"] for _ in range(3)]
    first = caller.get("/v1/requests", params={"limit": 2}).json()
    rest = caller.get("/v1/requests", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [request["id"] for request in first["data"] + rest["data"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert first["data"][0]["counts"]["pending"] == 1


def test_items_can_be_asked_for_by_state(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = campaign(caller, "object,colour\ncar,red\nporn,red\n").json()
    for state, rows in (("pending", [1]), ("refused", [2]), ("released", []), ("", [1, 2])):
        listed = caller.get(accepted["links"]["items"], params={"state": state}).json()
        assert [item["row"] for item in listed["data"]] == rows


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        (f"limit={MAX_PAGE + 1}", "query.limit"),
        ("limit=ten", "query.limit"),
        ("cursor=nonsense", "query.cursor"),
        ("cursor=%00", "query.cursor"),
        ("cursor=%F0%9F%9A%97", "query.cursor"),
        ("cursor=" + "A" * 23, "query.cursor"),
        ("cursor=" + "A" * 201, "query.cursor"),
        ("state=sleeping", "query.state"),
        ("stat=held", "query.stat"),
    ],
)
def test_a_wrong_parameter_is_named(api: ApiTenant, query: str, field: str) -> None:
    document = problem(api.caller().get(f"/v1/requests/{new_id()}/items?{query}"), 422, "invalid_parameters")
    assert field in [error["field"].removesuffix(".literal['']").removesuffix(".enum") for error in document["errors"]]


def test_labels_come_back_as_they_were_sent(api: ApiTenant) -> None:
    caller = api.caller()
    labels = {"ticket": "MKT-112", "n": 7, "half": 0.5, "yes": True, "nothing": None, "ünï": "日本"}
    accepted = caller.post("/v1/requests", json={"prompt": "a car", "metadata": labels, "name": "ok"}).json()
    status = caller.get(accepted["links"]["request"]).json()
    assert (status["metadata"], status["name"], status["template"]) == (labels, "ok", "a car")


def test_an_entry_of_the_list_leaves_out_what_its_caller_wrote_at_length(api: ApiTenant) -> None:
    """An entry had up to 77 kB, and a page has five hundred."""
    caller = api.caller()
    labels = {f"{n}".ljust(64, "x"): "€" * 512 for n in range(16)}
    accepted = caller.post("/v1/requests", json={"prompt": "a red car " * 190, "metadata": labels})
    assert accepted.status_code == 202, accepted.text
    whole = caller.get(accepted.json()["links"]["request"]).json()
    page = caller.get("/v1/requests")
    (entry,) = page.json()["data"]
    assert len(page.content) < 2_000
    assert whole.keys() - entry.keys() == {"template", "metadata", "channels", "budget", "used"}
    assert {name: whole[name] for name in entry} == entry
