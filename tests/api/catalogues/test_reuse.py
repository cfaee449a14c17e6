"""Pictures that a run finds made: they become live without being drawn, under the names that this run gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import ApiTenant
from workers.states import FINISHING


def _made(chairs: Catalogue) -> None:
    """A first run of three, screened under the rules that the API has."""
    chairs.run(feed(ROWS[:3]))


def _names(chairs: Catalogue) -> dict[str, str]:
    text = chairs.client.get(f"{chairs.url}/manifest", params={"format": "jsonl"}).text
    return {line["key"]: line["file_name"] for line in map(json.loads, text.splitlines())}


def test_other_names_of_files_draw_nothing_and_a_rollback_brings_the_old_ones(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    _made(chairs)
    before, names = chairs.live(), _names(chairs)
    make = {**chairs.spec["make"], "file": "{sku}-x.{ext}"}
    plan = chairs.plan(feed(ROWS[:3]), make=make)
    assert plan["causes"] == {"change": {"delivery": 3}}
    chairs.applied(plan, confirm=True)
    assert not [item for item in api.items() if item.state == "pending"]
    chairs.clerk()
    assert chairs.live() == before
    assert _names(chairs) == {key: f"{key}-x.png" for key in before}
    assert chairs.plan(feed(ROWS[:3]), make=make)["counts"] == {"keep": 3}
    assert chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 1}).json()["flipped"] == 3
    assert _names(chairs) == names


@pytest.mark.parametrize(
    "changed", [{"format": "webp"}, {"quality": 60}, {"size": [64, 64]}], ids=["format", "quality", "size"]
)
def test_other_files_are_made_of_kept_drawings_and_no_device_draws(changed: dict[str, Any], api: ApiTenant) -> None:
    chairs = Catalogue(api, keeps=True)
    shop = {"name": "shop", "size": [96, 96], "fit": "pad", "format": "jpeg", "quality": 90}
    chairs.spec["make"] = {**chairs.spec["make"], "channels": [shop]}
    _made(chairs)
    before = chairs.live()
    make = {**chairs.spec["make"], "channels": [{**shop, **changed}]}
    plan = chairs.plan(feed(ROWS[:3]), make=make)
    assert plan["causes"] == {"change": {"delivery": 3}}
    begun = chairs.applied(plan, confirm=True)
    made = [item for item in api.items() if item.request_id == begun["request_id"]]
    assert {item.queue for item in made} == {FINISHING}, "a worker of this queue has no device"
    assert {item.drawing_item_id for item in made} == {item.id for item in api.items()} - {item.id for item in made}
    assert chairs.live() == before
    chairs.make(begun["request_id"])
    after = chairs.live()
    assert {key for key in after if after[key] != before[key]} == {"c-01", "c-02", "c-03"}
    assert chairs.plan(feed(ROWS[:3]), make=make)["counts"] == {"keep": 3}


def test_a_new_rule_set_screens_kept_drawings_again_and_draws_nothing(api: ApiTenant) -> None:
    chairs = Catalogue(api, keeps=True)
    chairs.spec["limits"] = {"changed_percent": 0}
    _made(chairs)
    before = chairs.live()
    drawn = {item.id for item in api.items()}
    with api.server.line.owner.begin() as conn:
        conn.exec_driver_sql("update assets set policy_version = 'sha256:0' where tenant = %s", (api.tenant,))
        conn.exec_driver_sql(
            "delete from drawings d using items i where d.tenant = %s and i.id = d.item_id and i.custom_id = 'c-03'",
            (api.tenant,),
        )
    sent = feed(ROWS[:3])
    plan = chairs.plan(sent)
    assert plan["causes"] == {"change": {"rule set": 2}, "keep": {"rule set": 1}}
    assert (plan["safeguards"], plan["forecast"]["images"]) == ([], 0), "no mistake of the feed, and nothing to draw"
    begun = chairs.applied(plan)
    made = [item for item in api.items() if item.request_id == begun["request_id"]]
    assert {item.queue for item in made} == {FINISHING}
    assert {item.drawing_item_id for item in made} < drawn
    assert {item.prompt for item in made} == {"a red chair 1", "a red chair 2"}
    chairs.make(begun["request_id"], held=["c-02"])
    after = chairs.live()
    assert [key for key in after if after[key] != before[key]] == ["c-01"]
    again = chairs.plan(sent)
    assert (again["counts"], chairs.changes(again)) == ({"blocked": 1, "keep": 2}, [("c-02", 1, "blocked", "held")])


def test_words_that_nobody_watches_come_with_the_next_picture_and_the_record_names_those_drawn(api: ApiTenant) -> None:
    chairs = Catalogue(api, keeps=True)
    chairs.spec |= {"make": {"template": "a {colour} {title} for {price}"}, "watch": ["colour", "title"]}
    _made(chairs)
    plan = chairs.plan(feed([row.replace(".90", ".10") for row in ROWS[:1]] + ROWS[1:3]))
    assert plan["causes"] == {"change": {"delivery": 1}}
    begun = chairs.applied(plan)
    (made,) = [item for item in api.items() if item.request_id == begun["request_id"]]
    assert (made.prompt, made.state) == ("a red chair 1 for 1.90", "released")


def test_goods_that_are_there_again_are_live_with_the_picture_they_had(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    _made(chairs)
    before = chairs.live()
    chairs.client.post(f"{chairs.url}/retire", json={"keys": ["c-01"]})
    begun = chairs.applied(chairs.plan(feed(ROWS[:3])))
    chairs.clerk()
    assert chairs.live() == before
    (run, _) = chairs.client.get(f"{chairs.url}/runs").json()["data"]
    assert (run["request_id"], run["state"], run["flipped"]) == (begun["request_id"], "finished", 1)


def test_a_run_whose_held_picture_is_refused_ends_with_an_event(api: ApiTenant) -> None:
    other = Catalogue(ApiTenant(api.server, []))  # what others have held is no part of it
    other.make(other.applied(other.plan(feed(ROWS[:2])))["request_id"], held=["c-01", "c-02"])
    chairs = Catalogue(api)
    begun = chairs.applied(chairs.plan(feed(ROWS[:3])))
    chairs.make(begun["request_id"], held=["c-02"])
    assert chairs.client.get(f"{chairs.url}/runs").json()["data"][0]["state"] == "holding"
    with api.server.line.owner.begin() as conn:  # as a reviewer does
        conn.exec_driver_sql("update items set state = 'refused' where tenant = %s and state = 'held'", (api.tenant,))
    chairs.clerk()
    assert chairs.client.get(f"{chairs.url}/runs").json()["data"][0]["state"] == "finished"
    counts = [event.event["counts"] for event in api.events("catalogue.finished")]
    assert counts == [{"released": 2, "held": 1}, {"released": 2, "refused": 1}]
