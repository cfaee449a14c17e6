"""Deliveries of catalogues to a bucket on a real object store: new objects, then the manifest, nothing overwritten."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import problem
from tests.support.faulty_proxy import HttpFault, S3Proxy
from tests.support.shop import BUCKET, Shop
from workers.clerk import catalogue_deliveries, recalls

BLUE = feed([ROWS[0].replace("red", "blue"), *ROWS[1:3]])


class Died(BaseException):
    """Stands in for SIGKILL: no handler of ours sees it."""


def _chairs(shop: Shop, **registered: Any) -> Catalogue:
    shop.register(**registered)
    chairs = Catalogue(shop.api, stores=True)
    chairs.spec["deliver"] = {"target": "shop", "address": "https://cdn/"}
    return chairs


def _deliver(shop: Shop, chairs: Catalogue) -> dict[str, Any]:
    with shop.api.server.line.owner.begin() as conn:
        again = "update catalogue_deliveries set due_at = now(), lease_until = null where tenant = %s"
        conn.exec_driver_sql(f"{again} and (due_at is not null or paused_for is not null)", (shop.api.tenant,))
    catalogue_deliveries.run_once(shop.context)
    found: dict[str, Any] = chairs.client.get(chairs.url).json()["delivery"]
    return found


def _there(shop: Shop) -> dict[str, str]:
    """Bytes by key, as the manifest maps them. Every object that it names is there."""
    client, prefix = shop.s3.client(), "shop/chairs/"

    def read(name: str) -> bytes:
        body: bytes = client.get_object(Bucket=BUCKET, Key=prefix + name)["Body"].read()
        return body

    lines = [json.loads(line) for line in read("manifest.jsonl").decode().splitlines()]
    assert [row["object"] for row in shop.manifest(prefix)] == [line["object"] for line in lines]
    return {line["key"]: read(line["object"]).decode() for line in lines}


def _text(shop: Shop, name: str) -> str:
    body: bytes = shop.s3.client().get_object(Bucket=BUCKET, Key=f"shop/chairs/{name}")["Body"].read()
    return body.decode()


def _objects(shop: Shop) -> dict[str, Any]:
    entries = shop.s3.client().list_objects_v2(Bucket=BUCKET, Prefix="shop/chairs/").get("Contents", [])
    return {entry["Key"]: entry["LastModified"] for entry in entries if entry["Key"].endswith(".png")}


def test_what_is_live_is_brought_after_each_flip_and_a_rollback_brings_the_old_manifest(shop: Shop) -> None:
    chairs = _chairs(shop)
    chairs.run(feed(ROWS[:3]))
    told = _deliver(shop, chairs)
    assert (told["prefix"], told["run"], told["files"], told["waiting"]) == ("shop/chairs/", 1, 3, False)
    first, objects = _there(shop), _objects(shop)
    chairs.run(BLUE)
    assert chairs.client.get(chairs.url).json()["delivery"]["waiting"]
    assert _there(shop) == first, "until it is brought, the old manifest and its files are there"
    _deliver(shop, chairs)
    second = _there(shop)
    assert [key for key in first if second[key] != first[key]] == ["c-01"]
    after = _objects(shop)
    assert len(after) == 4
    assert objects.items() <= after.items(), "nothing that was there is written again"
    about = shop.s3.client().get_object(Bucket=BUCKET, Key="shop/chairs/run.json")["Body"].read()
    assert json.loads(about)["number"] == 2
    sent_back = chairs.client.get(f"{chairs.url}/files/feed.csv", params={"address": "https://cdn/"}).text
    named = [f"https://cdn/{row['object']}" for row in shop.manifest("shop/chairs/")]
    assert [line.rpartition(",")[2] for line in sent_back.splitlines()[-3:]] == named
    assert _text(shop, "feed.csv") == sent_back
    chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 1})
    assert _deliver(shop, chairs)["run"] == 3
    assert _text(shop, "feed.csv") != sent_back
    assert (_there(shop), _objects(shop)) == (first, after)
    chairs.client.post(f"{chairs.url}/retire", json={"keys": ["c-03"]})
    _deliver(shop, chairs)
    assert list(_there(shop)) == ["c-01", "c-02"]
    assert len(shop.events("asset.delivered")) == 4
    assert [event.event["files"] for event in shop.events("catalogue.delivered")] == [3, 3, 3, 2]


def test_rows_without_a_picture_lie_beside_what_is_live_also_where_nothing_became_live(shop: Shop) -> None:
    chairs = _chairs(shop)
    chairs.run(feed(ROWS[:2]))
    begun = chairs.applied(chairs.plan(feed([*ROWS[:2], "c-03,,red,3", "c-04,stool,red,4"])))
    chairs.make(begun["request_id"], failed=["c-04"])
    _deliver(shop, chairs)
    errors = list(csv.DictReader(_text(shop, "errors.csv").removeprefix("\ufeff").splitlines()))
    assert [(row["sku"], row["title"], row["presswork_code"]) for row in errors] == [
        ("c-03", "", "empty_value"),
        ("c-04", "stool", "worker_lost"),
    ]
    sent_back = list(csv.DictReader(_text(shop, "feed.csv").removeprefix("\ufeff").splitlines()))
    named = [f"https://cdn/{row['object']}" for row in shop.manifest("shop/chairs/")]
    assert [row["picture"] for row in sent_back] == [*named, "", ""]


def test_a_clerk_killed_anywhere_doubles_nothing_and_the_old_manifest_stays_whole(shop: Shop) -> None:
    chairs = _chairs(shop)
    chairs.run(feed(ROWS[:3]))
    _deliver(shop, chairs)
    first = _there(shop)
    chairs.run(BLUE)
    for point in ("object_delivered", "manifest_delivered"):

        def probe(reached: str, _held: object, at: str = point) -> None:
            if reached == at:
                raise Died(at)

        with pytest.raises(Died):
            _deliver(Shop(shop.api, shop.s3, shop.admin, replace(shop.context, probe=probe)), chairs)
        assert (_there(shop) == first) is (point == "object_delivered")
    _deliver(shop, chairs)
    assert len(_objects(shop)) == len(shop.events("asset.delivered")) == 4
    assert not chairs.client.get(chairs.url).json()["delivery"]["waiting"]


def test_a_target_that_refuses_half_way_pauses_tells_once_and_goes_on(shop: Shop) -> None:
    ahead = [HttpFault.FULL, HttpFault.FULL, HttpFault.NO_ANSWER]

    def fault(method: str, path: str) -> HttpFault | None:
        return ahead.pop(0) if ahead and method == "PUT" and "c-02" in path else None

    with S3Proxy(shop.s3.endpoint_url, fault) as proxy:
        chairs = _chairs(shop, endpoint=proxy.url)
        chairs.run(feed(ROWS[:3]))
        reasons = [_deliver(shop, chairs)["paused_for"] for _ in range(4)]
    assert (reasons[:2], reasons[3]) == (["full", "full"], None)
    assert [event.event["reason"] for event in shop.events("delivery.paused")].count("full") == 1
    assert len(shop.events("delivery.resumed")) == 1
    assert list(_there(shop)) == ["c-01", "c-02", "c-03"]
    assert len(_objects(shop)) == len(shop.events("asset.delivered")) == 3


def test_a_flip_in_the_middle_of_a_round_writes_no_mixed_manifest(shop: Shop) -> None:
    chairs = _chairs(shop)
    chairs.run(feed(ROWS[:3]))

    def probe(point: str, _held: object) -> None:
        if point == "object_delivered":
            chairs.client.post(f"{chairs.url}/retire", json={"keys": ["c-01"]})

    _deliver(Shop(shop.api, shop.s3, shop.admin, replace(shop.context, probe=probe)), chairs)
    assert "manifest.csv" not in shop.names("shop/chairs/")
    _deliver(shop, chairs)
    assert list(_there(shop)) == ["c-02", "c-03"]


@pytest.mark.parametrize("on_recall", ["withdraw", "list"])
def test_recalled_files_leave_at_once_and_replaced_ones_after_a_month(on_recall: str, shop: Shop) -> None:
    chairs = _chairs(shop, on_recall=on_recall)
    chairs.run(feed(ROWS[:3]))
    _deliver(shop, chairs)
    asset = chairs.live()["c-02"]
    body = {"asset_id": asset, "reason_code": "licence", "reason": "sold elsewhere"}
    assert shop.admin.post("/v1/recalls", json=body).status_code in {200, 201, 202}
    recalls.run_once(shop.context)
    _deliver(shop, chairs)
    assert list(_there(shop)) == ["c-01", "c-03"]
    assert len(_objects(shop)) == (3 if on_recall == "list" else 2)
    chairs.run(BLUE.replace("chair 2", "stool"))
    _deliver(shop, chairs)
    with shop.api.server.line.owner.begin() as conn:
        old = "update catalogue_objects set unlisted_at = now() - interval '31 days' where unlisted_at is not null"
        conn.exec_driver_sql(f"{old} and tenant = %s", (shop.api.tenant,))
    _deliver(shop, chairs)
    assert [event.event["state"] for event in shop.events("delivery.withdrawn")] == [
        "listed" if on_recall == "list" else "withdrawn",
        "replaced",
    ]
    assert list(_there(shop)) == ["c-01", "c-02", "c-03"]


def test_two_catalogues_do_not_share_a_place_and_a_file_without_target_ends_it(shop: Shop) -> None:
    chairs = _chairs(shop)
    chairs.run(feed(ROWS[:3]))
    tables = Catalogue(shop.api, {**chairs.spec, "name": "tables", "deliver": {"target": "shop", "prefix": "chairs"}})
    assert "prefix of its own" in problem(tables.apply(tables.plan(feed(ROWS[:1]))), 409, "conflict")["detail"]
    nowhere = tables.plan(feed(ROWS[:1]), deliver={"target": "nowhere"})
    assert problem(tables.apply(nowhere), 422, "invalid_body")["errors"][0]["field"] == "deliver.target"
    sent = tables.send(feed(ROWS[:1]), make={**chairs.spec["make"], "deliver": {"target": "shop"}})
    assert "`deliver` of the catalogue" in problem(sent, 422, "invalid_body")["errors"][0]["message"]
    del chairs.spec["deliver"]
    chairs.run(feed(ROWS[:4]))
    assert chairs.client.get(chairs.url).json()["delivery"] is None
