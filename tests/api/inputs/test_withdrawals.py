"""Withdrawals of inputs: what a recall and an erasure take with them, counted first."""

from __future__ import annotations

import pytest

from tests.conftest import S3
from tests.support.backgrounds import REPLACE, asked, made, photo
from tests.support.client import ApiServer
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.fixture
def works(module_api: ApiServer, s3: S3) -> Works:
    return Works(module_api.line, module_api.settings_for, s3)


def test_recalling_a_source_takes_back_what_was_made_from_it_and_nothing_else(
    tenant: InputTenant, works: Works
) -> None:
    image, mask = photo(tenant, 23)
    kept, other = photo(tenant, 24)
    requests = [
        asked(tenant, REPLACE, image=image, mask=mask),
        asked(tenant, "image-to-image", image=image),
        asked(tenant, REPLACE, image=kept, mask=other),
    ]
    assert {made(works, tenant, one)["state"] for one in requests} == {"released"}
    found = tenant.client.delete(f"/v1/inputs/{image}", params={"dry_run": True}).json()
    assert (found["released"], found["failing"], found["kept_by"]) == (2, 0, None)
    assert tenant.read(image)["state"] == "ready"
    recall = {"input_id": image, "reason_code": "rights"}
    preview = tenant.client.post("/v1/recalls", json=recall, params={"dry_run": True}).json()
    assert preview["assets"] == 2
    waiting = asked(tenant, REPLACE, image=image, mask=mask)
    assert tenant.client.post("/v1/recalls", json=recall | {"expected_assets": 2}).status_code == 202
    shown = [tenant.client.get(f"/v1/requests/{one}/assets").json()["data"][0]["state"] for one in requests]
    assert shown == ["recalled", "recalled", "released"]
    assert made(works, tenant, waiting)["reason"] == "input_recalled"
    kept_by = tenant.client.delete(f"/v1/inputs/{image}", params={"dry_run": True}).json()["kept_by"]
    assert kept_by == "recall"


def test_an_erasure_says_first_what_would_fail(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 25)
    waiting = asked(tenant, REPLACE, image=image, mask=mask)
    found = tenant.client.delete(f"/v1/inputs/{mask}", params={"dry_run": True}).json()
    assert (found["failing"], found["released"]) == (1, 0)
    assert tenant.client.delete(f"/v1/inputs/{mask}").json()["state"] == "erased"
    item = made(works, tenant, waiting)
    assert (item["state"], item["reason"]) == ("failed", "input_erased")
