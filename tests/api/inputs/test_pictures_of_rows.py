"""Pictures of a campaign: a ZIP beside its spreadsheet, what may be in it, and what rows make of it."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response

from tests.conftest import S3
from tests.support.client import ApiServer, problem
from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works

SPEC = {"template": "a {colour} mug on a white background", "model": "studio"}


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


def packed(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def send(tenant: InputTenant, rows: str, pictures: bytes | None, **spec: Any) -> Response:
    files = {"file": ("rows.csv", rows.encode())} | ({"pictures": ("p.zip", pictures)} if pictures else {})
    return tenant.client.post("/v1/campaigns", files=files, data={"spec": json.dumps({**SPEC, **spec})})


def errors(answered: Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = problem(answered, 422, "invalid_campaign")["errors"]
    return found


def test_rows_name_files_of_the_zip_and_each_becomes_an_input(
    tenant: InputTenant, module_api: ApiServer, s3: S3
) -> None:
    mug, cup = saved(product(96, 96, seed=60), "JPEG"), saved(product(120, 80, seed=61))
    pictures = packed({"shots/mug.jpg": mug, "shots/cup.png": cup, "__MACOSX/._mug.jpg": b"x", "notes.txt": b"x"})
    rows = "custom_id,colour,image,task\nm,red,shots/mug.jpg,\nm2,blue,mug.jpg,\nc,green,CUP.png,upscale\n"
    answered = send(tenant, rows, pictures)
    assert answered.status_code == 202, answered.text
    tenant.look()
    works = Works(module_api.line, module_api.settings_for, s3)
    while batches := works.look():
        for batch_id in batches:
            works.executor(FakeSampler()).run(batch_id)
    items = tenant.client.get(f"/v1/requests/{answered.json()['id']}/items").json()["data"]
    assert [(item["custom_id"], item["state"]) for item in items] == [
        ("m", "released"),
        ("m2", "released"),
        ("c", "released"),
    ]
    named = [one["name"] for one in tenant.client.get("/v1/inputs").json()["data"] if one["origin"] == "archive"]
    assert sorted(named) == ["shots/cup.png", "shots/mug.jpg"]
    told = [e.event for e in works.line.events("item.released") if e.event["request_id"] == answered.json()["id"]]
    made_from = {event["row"]: event["inputs"][0]["input_id"] for event in told}
    assert made_from[1] == made_from[2] != made_from[3]


def test_every_name_that_the_zip_lacks_is_listed_and_nothing_is_stored(tenant: InputTenant) -> None:
    pictures = packed({"a.png": saved(product(96, 96, seed=62))})
    rows = "colour,image\nred,a.png\nblue,b.png\ngreen,c.png\nred,b.png\n"
    found = errors(send(tenant, rows, pictures))
    assert [(one["code"], one["column"], one["row"]) for one in found] == [
        ("picture_not_in_zip", "image", 2),
        ("picture_not_in_zip", "image", 3),
    ]
    assert found[0]["rows"] == [2, 4]
    assert "'b.png'" in found[0]["message"]
    assert not any(one["name"] == "a.png" for one in tenant.client.get("/v1/inputs").json()["data"])


HOSTILE: dict[str, bytes] = {
    "out of it": packed({"../a.png": b"x"}),
    "absolute": packed({"/a.png": b"x"}),
    "backslash": packed({"a\\..\\b.png": b"x"}),
    "drive": packed({"C:/a.png": b"x"}),
    "one name but for case": packed({"A.png": b"x", "a.PNG": b"y"}),
    "no zip": b"PK\x03\x04 nothing",
    "cut off": packed({"a.png": b"x" * 500})[:300],
    "too many files": b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 10_001, 10_001, 100, 0, 0),
    "a directory too large": b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 2, 2, 1 << 30, 0, 0),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_zip_that_is_none_or_hostile_is_refused_whole(case: str, tenant: InputTenant) -> None:
    found = errors(send(tenant, "colour,image\nred,a.png\n", HOSTILE[case]))
    assert "picture_archive" in [one["code"] for one in found]


def test_a_file_that_is_no_picture_is_named_before_anything_is_spent(tenant: InputTenant) -> None:
    pictures = packed({"a.png": b"<svg/>", "b.png": b"x" * 10, "twice/c.png": b"", "c.png": b""})
    rows = "colour,image\nred,a.png\nblue,b.png\n"
    found = errors(send(tenant, rows, pictures))
    assert [(one["code"], one["row"]) for one in found] == [("picture_unusable", 1), ("picture_unusable", 2)]
    assert "SVG" in found[0]["message"]


def test_a_column_of_addresses_is_the_product_s_own(tenant: InputTenant) -> None:
    rows = "colour,image,strength\nred,https://shop.example/a.jpg,500 mg\n"
    answered = send(tenant, rows, None, dry_run=True)
    assert answered.status_code == 200, answered.text


def test_a_row_may_name_an_input_by_its_id_and_another_tenant_s_is_unknown(
    tenant: InputTenant, module_api: ApiServer
) -> None:
    image = tenant.sent(saved(product(96, 96, seed=63)))["id"]
    assert send(tenant, f"colour,image\nred,{image}\n", None).status_code == 202
    assert send(tenant, "colour\nred\n", None, image=image, strength=0.5).status_code == 202
    rival = InputTenant.of(module_api, "rival")
    assert errors(send(rival, f"colour,image\nred,{image}\n", None))[0]["code"] == "input_unknown"


def test_a_zip_over_its_limit_is_413(module_api: ApiServer) -> None:
    caller = module_api.caller("acme", input_archive_max_bytes=2000)
    tenant = InputTenant(caller, None)  # type: ignore[arg-type]  # nothing is looked at
    problem(send(tenant, "colour,image\nred,a.png\n", packed({"a.png": b"x" * 5000})), 413, "body_too_large")
