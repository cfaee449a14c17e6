"""Sources: a bucket on a real object store, registered by an admin, read for inputs and for feeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import S3
from tests.support.catalogues import ROWS, SPEC, Catalogue, feed
from tests.support.client import ApiTenant, problem
from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant

BUCKET = "acme-goods"
_HERE = {"webhook_loopback": True}


@pytest.fixture
def bucket(s3: S3) -> Iterator[S3]:
    client = s3.client()
    client.create_bucket(Bucket=BUCKET)
    for key, body in {
        "open/goods.csv": feed(ROWS[:3]).encode(),
        "open/a mug & red.png": saved(product(64, 64)),
        "closed/goods.csv": feed(ROWS).encode(),
    }.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield s3
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    client.delete_bucket(Bucket=BUCKET)


def _register(client: TestClient, s3: S3, **changes: Any) -> Any:
    identity = s3.identity("admin")
    body = {
        "endpoint": s3.endpoint_url,
        "bucket": BUCKET,
        "prefix": "open",
        "access_key_id": identity.access_key,
        "secret_access_key": identity.secret_key,
        **changes,
    }
    return client.post("/v1/sources", json=body)


def test_a_feed_and_its_pictures_are_read_below_the_prefix_and_nowhere_else(api: ApiTenant, bucket: S3) -> None:
    chairs = Catalogue(api, {**SPEC, "source": {"url": f"s3://{BUCKET}/open/goods.csv"}}, _HERE)
    assert chairs.plan(None)["errors"][0]["code"] == "fetch_source_unknown"
    admin = api.caller(**_HERE)
    registered = _register(admin, bucket)
    assert registered.status_code == 201, registered.text
    assert bucket.identity("admin").secret_key not in registered.text + admin.get("/v1/sources").text
    assert chairs.plan(None)["counts"]["create"] == 3
    closed = {"url": f"s3://{BUCKET}/closed/goods.csv"}
    assert chairs.plan(None, source=closed)["errors"][0]["code"] == "fetch_source_unknown"
    away = {"url": f"s3://{BUCKET}/open/away.csv"}
    assert chairs.plan(None, source=away)["errors"][0]["code"] == "fetch_status"
    make = {"template": "a {colour} {title}", "task": "image-to-image"}
    rows = [f'm-1,mug,red,"s3://{BUCKET}/open/a mug & red.png"', f"m-2,mug,red,s3://{BUCKET}/open/none.png"]
    photos = Catalogue(api, {**SPEC, "name": "mugs", "picture": "photo", "make": make}, _HERE)
    plan = photos.plan(feed(rows, header="sku,title,colour,photo"))
    assert photos.changes(plan) == [("m-1", 1, "create", "new"), ("m-2", 1, "blocked", "fetch_status")]
    assert admin.delete(f"/v1/sources/{registered.json()['id']}").status_code == 204
    assert chairs.plan(None)["errors"][0]["code"] == "fetch_source_unknown"
    with api.server.line.owner.begin() as conn:
        assert conn.exec_driver_sql("select count(*) from source_secrets").scalar() == 0
    assert [event.event["change"] for event in api.events("source.changed")] == ["registered", "removed"]


def test_an_input_is_read_from_a_source_of_its_own_tenant(api: ApiTenant, bucket: S3) -> None:
    tenant = InputTenant.of(api.server, api.tenant)
    inner = replace(tenant.context.intake, settings=api.server.settings_for("identify", **_HERE))
    tenant = InputTenant(api.caller(**_HERE), replace(tenant.context, intake=inner))
    address = {"url": f"s3://{BUCKET}/open/a mug & red.png"}
    assert problem(tenant.client.post("/v1/inputs", json=address), 422, "invalid_body")["errors"][0]["field"] == "url"
    id = _register(tenant.client, bucket).json()["id"]
    outsider = api.server.caller("somebody-else", **_HERE)
    problem(outsider.post("/v1/inputs", json=address), 422, "invalid_body")
    problem(outsider.delete(f"/v1/sources/{id}"), 404, "not_found")
    sent = [tenant.client.post("/v1/inputs", json=address).json()["id"]]
    tenant.look()
    sent += [tenant.client.post("/v1/inputs", json=address).json()["id"]]
    tenant.client.delete(f"/v1/sources/{id}")
    tenant.look()
    assert _register(tenant.client, bucket, secret_access_key="wrong").status_code == 201
    sent += [tenant.client.post("/v1/inputs", json=address).json()["id"]]
    tenant.look()
    found = [tenant.read(one) for one in sent]
    assert [(one["state"], one["reason"]) for one in found] == [
        ("ready", None),
        ("failed", "fetch_source_unknown"),
        ("failed", "fetch_forbidden"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "s3://acme-goods",
        "s3://acme-goods/",
        "s3://acme-goods/open/../closed/goods.csv",
        "s3://acme-goods/open//goods.csv",
        "s3://ACME/goods.csv",
        "s3://user@acme-goods/goods.csv",
        "s3://169.254.169.254:80/latest",
    ],
)
def test_what_names_no_object_is_refused_where_it_is_written(url: str, api: ApiTenant) -> None:
    problem(api.caller().post("/v1/inputs", json={"url": url}), 422, "invalid_body")
    problem(Catalogue(api).send(None, source={"url": url}), 422, "invalid_body")


def test_a_bucket_is_registered_once_and_at_a_public_address_only(api: ApiTenant, bucket: S3) -> None:
    admin = api.caller(**_HERE)
    assert _register(admin, bucket).status_code == 201
    problem(_register(admin, bucket), 409, "conflict")
    problem(_register(api.caller(), bucket, bucket="another"), 422, "invalid_body")
    problem(_register(admin, bucket, bucket="another", endpoint="https://10.0.0.1"), 422, "invalid_body")
    problem(_register(admin, bucket, bucket="another", prefix="../open"), 422, "invalid_body")
    for name in ("region", "access_key_id"):  # a header of the signed call cannot hold it
        problem(_register(admin, bucket, bucket="another", **{name: "\u00fc"}), 422, "invalid_body")
