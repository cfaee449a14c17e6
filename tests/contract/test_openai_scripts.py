"""Scripts that were written for the OpenAI API, on our models: their names, sizes, parameters and errors."""

from __future__ import annotations

import base64

import httpx
import openai
import pytest
from sqlalchemy import select

from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.openai_client import client_of
from tests.support.painter import file_of, painting
from workers.jobs.tables import recipes, requests
from workers.recipes import Recipe

SIZE = "128x128"


@pytest.fixture
def client(api: ApiTenant) -> openai.OpenAI:
    return client_of(api, images_seconds=60.0)


@pytest.mark.parametrize(
    ("size", "drawn", "factor", "canvas"),
    [
        ("512x512", (128, 128), 4, None),
        ("1024x1024", (128, 128), 4, (1024, 1024)),
        ("1536x1024", (160, 104), 4, (1536, 1024)),
        ("3840x1280", (224, 72), 4, (3840, 1280)),
    ],
)
def test_every_documented_size_is_drawn_near_the_model_s_own(
    api: ApiTenant, client, s3: S3, size, drawn, factor, canvas
) -> None:
    with painting(api.server.line, s3, api.tenant):
        made = client.images.generate(prompt="a red car", size=size, background="transparent")
    assert (made.size, made.background) == (size, "transparent")
    with api.server.line.owner.connect() as conn:
        kept = Recipe.from_json(conn.scalar(select(recipes.c.recipe).where(recipes.c.id == api.items()[0].recipe_id)))
    assert ((kept.width, kept.height), kept.upscale, kept.canvas, kept.background) == (
        drawn,
        factor,
        canvas,
        "transparent",
    )


def test_what_is_taken_as_another_value_is_told(api: ApiTenant, client, s3: S3) -> None:
    asked = {"moderation": "low", "style": "vivid", "output_format": "jpeg", "output_compression": 49, "size": SIZE}
    with painting(api.server.line, s3, api.tenant):
        made = client.images.generate(prompt="a red car", **asked)
        plain = client.images.generate(prompt="a red car", size=SIZE, output_compression=100)
    assert [note["param"] for note in made.notes] == ["moderation", "style", "output_compression"]
    assert base64.b64decode(made.data[0].b64_json) == file_of(api.items()[0].id, f"jpeg-50-{SIZE}")
    assert plain.model_extra.get("notes") is None


def test_a_script_that_names_their_models_is_answered_by_ours(api: ApiTenant, s3: S3) -> None:
    aliases = "gpt-image-1=studio,dall-e-3=studio,gone=other"
    client = client_of(api, images_seconds=60.0, model_aliases=aliases)
    assert [model.id for model in client.models.list()] == ["dall-e-3", "gpt-image-1", "studio"]
    assert (client.models.retrieve("dall-e-3").id, client.models.retrieve("dall-e-3").name) == ("dall-e-3", "studio")
    with painting(api.server.line, s3, api.tenant):
        linked = client.images.generate(model="dall-e-3", prompt="a red car", quality="standard", n=1)
        packed = client.images.generate(model="gpt-image-1", prompt="a green car")
    assert (linked.data[0].url is None, linked.data[0].b64_json) == (False, None)
    assert packed.data[0].b64_json
    with api.server.line.owner.connect() as conn:
        names = conn.scalars(select(requests.c.model).where(requests.c.tenant == api.tenant)).all()
    assert set(names) == {"studio"}
    for unknown in ("gone", "dall-e-4"):
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.generate(model=unknown, prompt="a red car")
        assert caught.value.param == "model"


def test_a_used_up_budget_is_insufficient_quota_and_is_not_repeated(api: ApiTenant, client) -> None:
    api.caller().put("/v1/budgets", json={"images": 1}).raise_for_status()
    attempts: list[httpx.Request] = []
    client._client.event_hooks["request"].append(attempts.append)
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(prompt="a red car", n=2)
    assert (caught.value.code, caught.value.type, len(attempts)) == ("insufficient_quota",) * 2 + (1,)
    assert caught.value.response.headers["x-should-retry"] == "false"
