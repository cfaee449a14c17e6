"""Official `openai` package against our API, unchanged: only the base URL and the key are ours."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from sqlalchemy import select

from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.foreign_files import saved
from tests.support.line import REFUSE
from tests.support.painter import file_of, painting
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant
from workers.identification import loop
from workers.jobs.tables import recipes, requests
from workers.jobs.types import Failed, Refused

SIZE = "128x128"


@pytest.fixture
def client(api: ApiTenant) -> Iterator[openai.OpenAI]:
    with client_of(api, images_seconds=60.0) as made:
        yield made


def client_of(api: ApiTenant, **settings: Any) -> openai.OpenAI:
    caller = api.caller(**settings)
    key = caller.headers.pop("Authorization").removeprefix("Bearer ")
    return openai.OpenAI(api_key=key, base_url="http://testserver/v1", http_client=caller, max_retries=2)


@pytest.fixture
def painter(api: ApiTenant, s3: S3) -> Callable[..., Any]:
    return lambda decide=None: painting(api.server.line, s3, api.tenant, decide)


def sent(client: openai.OpenAI) -> list[httpx.Request]:
    """Every request that the client sends from now on."""
    requests: list[httpx.Request] = []
    client._client.event_hooks["request"].append(requests.append)
    return requests


def test_images_come_as_bytes_in_the_size_and_number_asked_for(api: ApiTenant, client, painter) -> None:
    with painter():
        made = client.images.generate(model="studio", prompt="a red car", n=2, size="512x512", quality="high")
    items = api.items()
    assert [base64.b64decode(image.b64_json) for image in made.data] == [file_of(item.id, "original") for item in items]
    assert (made.size, made.quality, made.output_format, made.background) == ("512x512", "high", "png", "opaque")
    assert (made.data[0].revised_prompt, made.data[0].url, made.withheld) == (None, None, 0)
    assert {item.priority for item in items} == {"interactive"}


def test_a_link_and_another_format_are_given_where_they_are_asked_for(api: ApiTenant, client, painter) -> None:
    asked = {"response_format": "url", "output_format": "webp", "user": "u-1", "safety_identifier": "s-1"}
    with painter():
        made = client.images.generate(
            prompt="a (red:1.2) car",
            size="auto",
            extra_body={"seed": 7, "metadata": {"a": 1}, "prompt_syntax": "weights"},
            **asked,
        )
    assert httpx.get(made.data[0].url).content == file_of(api.items()[0].id, "webp")
    assert (made.safety_identifier, made.output_format, api.items()[0].seed) == ("s-1", "webp", 7)
    (item,) = api.caller().get(f"/v1/requests/{made.request_id}/items").json()["data"]
    assert item["recipe"]["prompt_syntax"] == "weights"
    assert api.caller().get(f"/v1/requests/{made.request_id}").json()["metadata"] == {
        "a": 1,
        "user": "u-1",
        "safety_identifier": "s-1",
    }
    assert len(api.events("asset.linked")) == 1


@pytest.mark.parametrize(("format", "quality"), [("jpeg", 50), ("webp", 99)])
def test_the_quality_of_a_file_is_the_one_asked_for(api: ApiTenant, client, painter, format, quality) -> None:
    asked = {"size": "512x512", "output_format": format, "output_compression": quality}
    with painter():
        made = client.images.generate(prompt="a red car", **asked)
    assert base64.b64decode(made.data[0].b64_json) == file_of(api.items()[0].id, f"{format}-{quality}-512x512")
    with api.server.line.owner.connect() as conn:
        (channel,) = conn.execute(select(requests.c.channels).where(requests.c.tenant == api.tenant)).scalar_one()
    told = {name: channel[name] for name in ("width", "height", "format", "quality")}
    assert told == {"width": 512, "height": 512, "format": format, "quality": quality}


def test_every_limit_of_a_generation_is_allowed_at_the_limit(api: ApiTenant, client, painter) -> None:
    asked = {"prompt": "x" * 2_000, "n": 10, "partial_images": 3, "user": "u" * 512, "output_format": "webp"}
    with painter(), client.images.generate(size=SIZE, stream=True, output_compression=100, **asked) as stream:
        assert [event.type for event in stream] == ["image_generation.completed"] * 10


def test_a_stream_ends_with_the_whole_image(api: ApiTenant, client, painter) -> None:
    with painter(), client.images.generate(prompt="a red car", size=SIZE, stream=True, partial_images=2) as stream:
        (event,) = list(stream)
    assert (event.type, event.size, event.output_format) == ("image_generation.completed", SIZE, "png")
    assert base64.b64decode(event.b64_json) == file_of(api.items()[0].id, "original")


def test_an_error_in_a_stream_is_raised(client, painter) -> None:
    refuse = painter(lambda held, item: Refused(item, REFUSE))
    with refuse:
        stream = client.images.generate(prompt="a red car", size=SIZE, stream=True)
        with pytest.raises(openai.APIError, match="list"):
            list(stream)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"size": "100x100"}, "size"),
        ({"size": "4096x4096"}, "size"),
        ({"size": "large"}, "size"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 2_001}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"model": "gpt-image-1"}, "model"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": "webp", "output_compression": 101}, "output_compression"),
        ({"output_compression": 99}, "output_compression"),
        ({"size": "1040x336"}, "size"),
        ({"size": "3856x2144"}, "size"),
        ({"moderation": None, "style": None, "size": "1x1"}, "size"),
        ({"partial_images": 1}, "partial_images"),
        ({"extra_body": {"frame_count": 4}}, "frame_count"),
    ],
)
def test_what_cannot_be_had_is_a_bad_request_that_names_the_parameter(api: ApiTenant, client, changes, param) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**{"prompt": "a red car", **changes})
    assert (caught.value.param, caught.value.type, caught.value.code) == (
        param,
        "invalid_request_error",
        "invalid_request",
    )
    assert api.stored() == 0


def test_what_policy_refuses_is_moderation_blocked_and_is_sent_once(api: ApiTenant, client, painter) -> None:
    attempts = sent(client)
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="porn", size=SIZE)
    assert caught.value.code == "moderation_blocked"
    refuse = painter(lambda held, item: Refused(item, REFUSE))
    with refuse, pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="a red car", size=SIZE)
    assert (caught.value.code, len(attempts)) == ("moderation_blocked", 2)


@pytest.mark.parametrize(
    ("seconds", "state", "code"), [(0.05, "cancelled", "images_not_ready"), (60.0, "failed", "generation_failed")]
)
def test_what_a_repetition_cannot_mend_is_not_repeated(api: ApiTenant, s3: S3, seconds, state, code) -> None:
    client = client_of(api, images_seconds=seconds)
    attempts = sent(client)
    with contextlib.ExitStack() as stack:
        if state == "failed":
            fail = painting(api.server.line, s3, api.tenant, lambda held, item: Failed(item, "worker_lost"))
            stack.enter_context(fail)
        with pytest.raises(openai.InternalServerError) as caught:
            client.images.generate(prompt="a red car", size=SIZE)
    assert (caught.value.code, len(attempts), {item.state for item in api.items()}) == (code, 1, {state})


def test_a_passing_fault_is_repeated_after_the_time_it_says(api: ApiTenant, monkeypatch) -> None:
    client, waited = client_of(api, max_requests_per_minute=1), list[float]()
    monkeypatch.setattr("openai._base_client.time", SimpleNamespace(sleep=waited.append, time=time.time))
    attempts = sent(client)
    client.with_options(organization="org-1", project="proj-1").models.list()
    with pytest.raises(openai.RateLimitError) as caught:
        client.models.list()
    assert (caught.value.type, caught.value.code, len(attempts)) == ("rate_limit_error", "rate_limited", 4)
    said = float(caught.value.response.headers["retry-after"])
    assert caught.value.response.headers["x-should-retry"] == "true"
    assert len(waited) == 2
    assert all(abs(seconds - said) < 2 for seconds in waited)


def test_the_same_idempotency_key_makes_the_images_once(api: ApiTenant, client, painter) -> None:
    asked = {"prompt": "a red car", "size": SIZE, "extra_headers": {"Idempotency-Key": "hero-1"}}
    with painter():
        first, again = client.images.generate(**asked), client.images.generate(**asked)
    assert (first.data, len(api.items())) == (again.data, 1)


def test_an_edit_is_made_from_its_picture_and_mask(api: ApiTenant, client, painter) -> None:
    tenant = InputTenant(api.caller(), loop.make_context(api.server.settings_for("identify")))
    mug, mask = saved(product(96, 64)), np.zeros((64, 96, 4), np.uint8)
    mask[:32, :, 3] = 255
    for data in (mug, saved(mask)):
        tenant.sent(data)  # the client's own upload is then the same input, looked at
    with painter():
        ours = {"strength": 0.5, "metadata": {"ticket": "MKT-1"}}
        made = client.images.edit(image=[mug], mask=saved(mask), prompt="a red car", extra_body=ours)
        stream = client.images.edit(image=mug, prompt="a red car", stream=True)
        (event,) = list(stream)
    assert len(made.data) == 1
    width, height = map(int, made.size.split("x"))
    assert width > height
    assert event.type == "image_edit.completed"
    with api.server.line.owner.connect() as conn:
        ids = [item.recipe_id for item in api.items()]
        tasks = [conn.scalar(select(recipes.c.recipe["task"].astext).where(recipes.c.id == id)) for id in ids]
    assert tasks == ["inpaint", "image-to-image"]
    assert api.caller().get(f"/v1/requests/{made.request_id}").json()["metadata"] == {"ticket": "MKT-1"}


def test_an_edit_that_cannot_be_had_names_its_field(client) -> None:
    mug = saved(product(96, 96))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"image": b"\x89PNG"}, "image"),
        ({"image": b"<svg/>"}, "image"),
        ({"image": [mug, mug]}, "image"),
        ({"image": mug, "mask": saved(product(64, 64))}, "mask"),
        ({"image": mug, "input_fidelity": "high"}, "input_fidelity"),
        ({"image": mug, "background": "transparent", "output_format": "jpeg"}, "background"),
        ({"image": mug, "output_format": "jpeg", "output_compression": 60}, "output_compression"),
        ({"image": mug, "extra_body": {"strength": 2}}, "strength"),
    ]
    for asked, param in wrong:
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.edit(prompt="a red car", **asked)
        assert caught.value.param == param, asked


def test_variations_say_honestly_that_they_are_not_there(client) -> None:
    with pytest.raises(openai.NotFoundError), pytest.deprecated_call():
        client.images.create_variation(image=b"\x89PNG")


def test_models_are_listed_and_found(client) -> None:
    (model,) = client.models.list()
    assert (model.id, model.object, model.owned_by) == ("studio", "model", "presswork")
    assert client.models.retrieve("studio").id == "studio"
    for unknown in ("gpt-image-1", "studio/v1"):
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(unknown)


def test_wrong_keys_and_scopes_are_the_classes_that_programs_catch(api: ApiTenant, client) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="pw_wrong").models.list()
    assert caught.value.type == "authentication_error"
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]
    reader = client.with_options(api_key=api.server.key(api.tenant, ["read"])[1])
    with pytest.raises(openai.PermissionDeniedError):
        reader.images.generate(prompt="a red car")


def test_the_asynchronous_client_works_as_well(api: ApiTenant, painter) -> None:
    async def make() -> Any:
        transport = httpx.ASGITransport(api.server.app())
        key = api.server.key(api.tenant)[1]
        async with openai.AsyncOpenAI(
            api_key=key, base_url="http://testserver/v1", http_client=httpx.AsyncClient(transport=transport)
        ) as client:
            names = [model.id async for model in client.models.list()]
            return names, await client.images.generate(prompt="a red car", size=SIZE)

    with painter():
        names, made = asyncio.run(make())
    assert names == ["studio"]
    assert base64.b64decode(made.data[0].b64_json) == file_of(api.items()[0].id, "original")
