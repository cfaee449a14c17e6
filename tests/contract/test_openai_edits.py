"""Edits of the official `openai` package in JSON and in batches: pictures as data URLs, addresses and inputs."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest
from sqlalchemy import select

from tests.conftest import S3
from tests.support.client import ApiTenant, problem
from tests.support.foreign_files import saved
from tests.support.openai_client import client_of, jsonl, lines_of, polled, uploaded
from tests.support.painter import painting, releasing
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant
from workers.jobs.tables import recipes

ENDPOINT = "/v1/images/edits"
_MUG = saved(product(96, 64))


def _url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _line(custom_id: str, url: str = ENDPOINT, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"prompt": "a red car", **body}}


def _batch(client: openai.OpenAI, *lines: Any) -> Any:
    file = uploaded(client, jsonl(*lines))
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")


def test_a_batch_of_edits_is_made_from_its_pictures(api: ApiTenant, s3: S3) -> None:
    client, tenant = client_of(api), InputTenant.of(api.server, api.tenant)
    input_id = tenant.sent(_MUG)["id"]
    batch = _batch(
        client,
        _line("pasted", images=[{"image_url": _url(_MUG)}], strength=0.5),
        _line("named", images=[{"file_id": input_id}], mask={"image_url": _url(saved(product(96, 64, seed=2)))}),
        _line("forbidden", prompt="porn", images=[{"file_id": input_id}]),
    )
    polled(client, batch, "in_progress")
    tenant.look()  # the mask of the second line
    with painting(api.server.line, s3, api.tenant, releasing(s3)):
        ended = polled(client, batch, "completed")
    assert ended.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    assert set(lines_of(client, ended.output_file_id)) == {"pasted", "named"}
    (refused,) = lines_of(client, ended.error_file_id).values()
    assert refused["response"]["body"]["error"]["code"] == "moderation_blocked"
    with api.server.line.owner.connect() as conn:
        ids = [item.recipe_id for item in api.items()]
        tasks = [conn.scalar(select(recipes.c.recipe["task"].astext).where(recipes.c.id == id)) for id in ids]
    assert tasks == ["image-to-image", "inpaint", "image-to-image"]


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (_line("a"), "missing", "images"),
        (_line("a", images=[]), "too_short", "images"),
        (_line("a", images=[{"image_url": _url(_MUG)}] * 2), "not_available", "images"),
        (_line("a", images=[{"image_url": _url(b"<svg/>")}]), "not_a_picture", "images"),
        (_line("a", images=[{"image_url": "data:image/png;base64,****"}]), "data_url", "images"),
        (_line("a", images=[{"image_url": "data:text/html,hello"}]), "data_url", "images"),
        (_line("a", images=[{"image_url": "file:///etc/passwd"}]), "url", "url"),
        (_line("a", images=[{"image_url": "https://127.0.0.1/a.png"}]), "url", "url"),
        (_line("a", images=[{"file_id": "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"}]), "input_unknown", "image"),
        (_line("a", images=[{"file_id": "file-0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"}]), "not_found", "images"),
        (_line("a", images=[{"file_id": "../etc"}]), "not_found", "images"),
        (
            _line("a", images=[{"image_url": _url(_MUG)}], output_format="webp", output_compression=60),
            "not_available",
            "output_compression",
        ),
        (_line("a", images=[{"image_url": _url(_MUG), "file_id": "x"}]), "invalid", "images.0"),
        (_line("a", images=[{"image_url": _url(_MUG)}], input_fidelity="high"), "not_available", "input_fidelity"),
        (_line("a", "/v1/images/generations"), "batch_url", "url"),
    ],
)
def test_a_line_that_cannot_be_edited_fails_the_batch_and_is_named(api: ApiTenant, line, code, param) -> None:
    client = client_of(api)
    good = _line("good", images=[{"image_url": _url(_MUG)}])
    failed = polled(client, _batch(client, good, line), "failed")
    assert [(one.code, one.line, one.param) for one in failed.errors.data] == [(code, 2, param)]
    assert api.items() == []


def test_a_picture_that_is_uploaded_as_a_file_is_edited_and_goes_with_its_input(api: ApiTenant, s3: S3) -> None:
    client, tenant = client_of(api), InputTenant.of(api.server, api.tenant)
    mug = client.files.create(file=("mug.png", _MUG), purpose="vision")
    lines = uploaded(client, jsonl(_line("a")))
    assert (mug.purpose, client.files.content(mug.id).read()) == ("vision", _MUG)
    assert [one.id for one in client.files.list(purpose="vision")] == [mug.id]
    batch = _batch(client, _line("a", images=[{"file_id": mug.id}]), _line("b", images=[{"file_id": mug.id}]))
    polled(client, batch, "in_progress")
    tenant.look()
    with painting(api.server.line, s3, api.tenant, releasing(s3)):
        assert polled(client, batch, "completed").request_counts.completed == 2
    wrong = polled(client, _batch(client, _line("a", images=[{"file_id": lines.id}])), "failed")
    assert [(one.code, one.param) for one in wrong.errors.data] == [("input_unknown", "images")]
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id=mug.id, endpoint=ENDPOINT, completion_window="24h")
    (given,) = tenant.client.get("/v1/inputs").json()["data"]
    assert given["name"] == "mug.png"
    tenant.client.delete(f"/v1/inputs/{given['id']}").raise_for_status()
    with pytest.raises(openai.NotFoundError):
        client.files.content(mug.id)
    assert [told.event["reason"] for told in api.events("file.deleted")] == ["erased"]


def test_a_file_for_edits_is_a_picture_of_the_size_of_an_input(api: ApiTenant) -> None:
    client = client_of(api, input_max_bytes=len(_MUG))
    assert client.files.create(file=("mug.png", _MUG), purpose="vision").bytes == len(_MUG)
    with pytest.raises(openai.APIStatusError) as caught:
        client.files.create(file=("mug.png", _MUG + b"-"), purpose="vision")
    assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=("lines.jsonl", b"{}"), purpose="vision")
    assert refused.value.param == "file"


def test_the_json_form_of_an_edit_is_taken_too(api: ApiTenant, s3: S3) -> None:
    caller = api.caller(images_seconds=60.0)
    tenant = InputTenant.of(api.server, api.tenant)
    tenant.sent(_MUG)
    asked = {"prompt": "a red car", "images": [{"image_url": _url(_MUG)}], "response_format": "url"}
    with painting(api.server.line, s3, api.tenant, releasing(s3)):
        made = caller.post(ENDPOINT, json=asked)
    assert made.status_code == 200, made.text
    assert made.json()["data"][0]["url"]
    unknown = caller.post(ENDPOINT, json=asked | {"images": [{"file_id": "../etc"}]})
    problem(unknown, 404, "not_found")
