"""Delivery to a tenant's own bucket on a real object store: once, checked, resumed, told, taken back."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.support.campaigns import settled_campaign, table
from tests.support.client import campaign, problem
from tests.support.faulty_proxy import HttpFault, S3Proxy
from tests.support.shop import BUCKET, Shop
from workers.clerk import deliveries, recalls


class Died(BaseException):
    """Stands in for SIGKILL: no handler of ours sees it."""


def test_a_target_is_checked_by_a_write_before_anything_goes_there(shop: Shop) -> None:
    assert shop.register()["state"] == "ready"
    assert shop.names() == []
    refused = shop.register("wrong", secret_access_key="not the secret")
    assert (refused["state"], refused["reason"]) == ("refused", "forbidden")
    assert shop.register("nowhere", bucket="no-such-bucket")["reason"] in {"no_bucket", "forbidden"}
    listed = shop.admin.get("/v1/targets").text
    assert shop.s3.identity("admin").secret_key not in listed
    again = shop.admin.post("/v1/targets", json={**_SOME, "name": "shop", "endpoint": shop.s3.endpoint_url})
    problem(again, 409, "conflict")


def test_a_target_that_is_slow_to_be_checked_can_be_removed_meanwhile(shop: Shop) -> None:
    """The check held the row and a transaction, which Postgres ended before a slow bucket had answered."""
    removed = list[int]()
    with socket.create_server(("127.0.0.1", 0)) as slow:
        body = {**_SOME, "name": "slow", "endpoint": f"http://127.0.0.1:{slow.getsockname()[1]}"}
        id = shop.admin.post("/v1/targets", json=body).json()["id"]

        def answer() -> None:
            peer, _ = slow.accept()
            with peer:
                removed.append(shop.admin.delete(f"/v1/targets/{id}").status_code)

        waiting = threading.Thread(target=answer)
        waiting.start()
        deliveries.run_once(shop.context)
        waiting.join()
    assert removed == [204]
    assert [told.event["change"] for told in shop.events("target.changed")] == ["registered", "removed"]


_SOME = {"endpoint": "https://s3.example.com", "bucket": BUCKET, "access_key_id": "a", "secret_access_key": "b"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://169.254.169.254"},
        {"endpoint": "http://s3.example.com"},
        {"endpoint": "https://s3.example.com/a/"},
        {"prefix": "../up"},
        {"prefix": "a//b"},
        {"bucket": "A"},
    ],
)
def test_an_address_inside_and_a_path_that_leads_up_are_refused(wrong: dict[str, str], shop: Shop) -> None:
    problem(shop.admin.post("/v1/targets", json={**_SOME, "name": "shop", **wrong}), 422, "invalid_body")


def test_released_files_arrive_once_under_their_names_with_a_manifest(shop: Shop) -> None:
    shop.register()
    sent = settled_campaign(shop.api, deliver={"target": "shop", "prefix": "spring"})
    told = shop.deliver(sent)
    assert (told["files"], told["paused_for"], told["prefix"]) == ({"delivered": 2}, None, "shop/spring/")
    assert shop.names("shop/spring/") == ["0042.png", "0043.png", "manifest.csv", "manifest.jsonl"]
    rows = shop.manifest("shop/spring/")
    assert [row["presswork_state"] for row in rows] == ["released", "released", "failed", "held", "pending"]
    assert rows[0]["Notiz"] == "'=cmd()"
    before = {entry["Key"]: entry["LastModified"] for entry in _objects(shop)}
    shop.deliver(sent)
    after = {entry["Key"]: entry["LastModified"] for entry in _objects(shop)}
    assert {key: at for key, at in after.items() if "manifest" not in key}.items() <= before.items()
    assert len(shop.events("asset.delivered")) == 2


def _objects(shop: Shop) -> list[Any]:
    found: list[Any] = shop.s3.client().list_objects_v2(Bucket=BUCKET)["Contents"]
    return found


def test_a_clerk_killed_behind_a_write_doubles_nothing(shop: Shop) -> None:
    shop.register()
    sent = settled_campaign(shop.api, deliver={"target": "shop"})

    def probe(point: str, _held: object) -> None:
        if point == "object_delivered":
            raise Died(point)

    shop.due(sent)
    with pytest.raises(Died):
        deliveries.run_once(replace(shop.context, probe=probe))
    assert len(shop.names()) == 1
    assert shop.events("asset.delivered") == []
    assert shop.deliver(sent)["files"] == {"delivered": 2}
    assert len(shop.events("asset.delivered")) == 2


def test_a_bucket_that_is_gone_half_way_pauses_tells_once_and_resumes(shop: Shop) -> None:
    shop.register()
    sent = settled_campaign(shop.api, deliver={"target": "shop"})
    shop.s3.client().put_object(Bucket=BUCKET, Key="shop/0043.png", Body=b"of somebody else")
    for _ in range(2):
        told = shop.deliver(sent)
        assert (told["paused_for"], told["files"]) == ("occupied", {"delivered": 1})
    assert "0043.png" in told["detail"]
    assert [event.event["reason"] for event in shop.events("delivery.paused")] == ["occupied"]
    assert shop.s3.client().get_object(Bucket=BUCKET, Key="shop/0043.png")["Body"].read() == b"of somebody else"
    shop.s3.client().delete_object(Bucket=BUCKET, Key="shop/0043.png")
    for _ in range(2):
        told = shop.deliver(sent)
        assert (told["paused_for"], told["files"]) == (None, {"delivered": 2})
    assert len(shop.events("delivery.resumed")) == 1


def test_a_bucket_that_is_full_or_goes_away_half_way_gets_every_file_once(shop: Shop) -> None:
    """FAULTS 57, in the middle of files and of the manifest: stored without an answer, cut off, full."""
    ahead = {
        "/shop/0043.png": [HttpFault.FULL, HttpFault.NO_ANSWER, HttpFault.CUT],
        "/shop/manifest.csv": [HttpFault.ERROR, HttpFault.NO_ANSWER],
    }

    def fault(method: str, path: str) -> HttpFault | None:
        left = ahead.get(path.removeprefix(f"/{BUCKET}"), []) if method == "PUT" else []
        return left.pop(0) if left else None

    with S3Proxy(shop.s3.endpoint_url, fault) as proxy:
        shop.register(endpoint=proxy.url)
        sent = settled_campaign(shop.api, deliver={"target": "shop"})
        reasons = []
        while (told := shop.deliver(sent))["paused_for"]:
            reasons.append(told["paused_for"])
            assert len(reasons) < 9, reasons
        assert reasons[0] == "full"
        assert proxy.seen[HttpFault.FULL] == proxy.seen[HttpFault.ERROR] == 1
        assert ahead["/shop/manifest.csv"] == []
    assert told["files"] == {"delivered": 2}
    assert [name for name in shop.names() if name.endswith(".png")] == ["0042.png", "0043.png"]
    assert [row["presswork_state"] for row in shop.manifest()][:2] == ["released", "released"]
    assert len(shop.events("asset.delivered")) == 2, "each file is told once, whatever went wrong between"
    assert len(shop.events("delivery.resumed")) == 1


@pytest.mark.parametrize(("on_recall", "left"), [("withdraw", False), ("list", True)])
def test_a_recalled_picture_is_withdrawn_or_listed(on_recall: str, left: bool, shop: Shop) -> None:
    shop.register(on_recall=on_recall)
    sent = settled_campaign(shop.api, deliver={"target": "shop"})
    shop.deliver(sent)
    body = {"asset_id": sent.released[0], "reason_code": "licence", "reason": "sold elsewhere"}
    assert shop.admin.post("/v1/recalls", json=body).status_code in {200, 201, 202}
    recalls.run_once(shop.context)
    deliveries.run_once(shop.context)
    assert ("0042.png" in shop.names()) is left
    assert [(row["presswork_state"], row["presswork_file_name"]) for row in shop.manifest()][:2] == [
        ("recalled", ""),
        ("released", "0043.png"),
    ]
    told = shop.admin.get(f"/v1/requests/{sent.id}/delivery").json()
    assert told["files"] == {"delivered": 1, "listed" if left else "withdrawn": 1}


def test_a_campaign_that_names_no_such_target_is_told_so(shop: Shop) -> None:
    answered = campaign(shop.admin, table(), {"template": "a {object}", "deliver": {"target": "nowhere"}})
    assert problem(answered, 422, "invalid_body")["errors"][0]["code"] == "target"
