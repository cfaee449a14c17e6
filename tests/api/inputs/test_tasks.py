"""Requests with pictures, from the API to the released file: what was sent is its ingredient, and stays on record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from policy.marks.inspect import inspect
from tests.conftest import S3
from tests.support.client import ApiServer, problem
from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works
from workers.store import ObjectStore

PROMPT = "a red backpack on a white background"


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.fixture
def works(module_api: ApiServer, s3: S3) -> Works:
    return Works(module_api.line, module_api.settings_for, s3)


def ready(tenant: InputTenant, seed: int, **size: int) -> str:
    found = tenant.sent(saved(product(size.get("width", 96), size.get("height", 96), seed=seed)))
    assert found["state"] == "ready"
    return str(found["id"])


def mask(tenant: InputTenant, width: int = 96, height: int = 96, *, white: bool = True, level: int = 0) -> str:
    picture = np.full((height, width, 3), level, np.uint8)  # its level makes it a file of its own
    if white:
        picture[20:60, 20:60] = 255
    return str(tenant.sent(saved(picture))["id"])


def ask(tenant: InputTenant, **asked: Any) -> dict[str, Any]:
    answered = tenant.client.post("/v1/requests", json={"prompt": PROMPT, "model": "studio", **asked})
    assert answered.status_code == 202, answered.text
    accepted: dict[str, Any] = answered.json()
    return accepted


def refused(tenant: InputTenant, **asked: Any) -> dict[str, Any]:
    answered = tenant.client.post("/v1/requests", json={"prompt": PROMPT, "model": "studio", **asked})
    found: dict[str, Any] = problem(answered, 422, "invalid_body")["errors"][0]
    return found


def made(works: Works, tenant: InputTenant, request_id: str) -> list[dict[str, Any]]:
    """Its items, after everything that is due was made."""
    executor = works.executor(FakeSampler())
    while batches := works.look():
        for batch_id in batches:
            executor.run(batch_id)
    items: list[dict[str, Any]] = tenant.client.get(f"/v1/requests/{request_id}/items").json()["data"]
    return items


def test_an_edit_carries_its_source_as_ingredient_and_on_record(
    tenant: InputTenant, works: Works, module_api: ApiServer
) -> None:
    image = ready(tenant, 40)
    request = ask(tenant, image=image)
    (item,) = made(works, tenant, request["id"])
    assert item["state"] == "released"
    (event,) = [e for e in works.line.events("item.released") if e.event["request_id"] == request["id"]]
    assert event.event["recipe"]["task"] == "image-to-image"
    assert event.event["recipe"]["strength"] == 0.6
    assert [(each["role"], each["input_id"]) for each in event.event["inputs"]] == [("image", image)]
    assert event.event["inputs"][0]["sha256"] == tenant.read(image)["sha256"]
    assert f"input:{image}" in event.subjects
    assert event.event["marks"]["declaration"] == "modified"
    data = ObjectStore(module_api.settings_for("worker")).get(event.event["renditions"][0]["key"])
    anchors = module_api.settings_for("worker").trust_anchors
    assert anchors is not None
    manifest = inspect(data, anchors.read_text()).manifest
    assert manifest is not None
    assert manifest.digital_source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert [(one.relationship, one.title) for one in manifest.ingredients] == [("parentOf", image)]


@pytest.mark.parametrize(
    ("pictures", "task"),
    [
        (("image",), "image-to-image"),
        (("image", "mask"), "inpaint"),
    ],
)
def test_the_pictures_say_the_task(pictures: tuple[str, ...], task: str, tenant: InputTenant, works: Works) -> None:
    given = {"image": ready(tenant, 41 + 100 * len(pictures))} | ({"mask": mask(tenant)} if "mask" in pictures else {})
    request = ask(tenant, **given)
    (item,) = made(works, tenant, request["id"])
    assert (item["state"], item["reason"], _recipe(works, request["id"])["task"]) == ("released", None, task)


def _recipe(works: Works, request_id: str) -> dict[str, Any]:
    with works.line.owner.connect() as conn:
        found: dict[str, Any] = conn.execute(
            text("select recipe from recipes join items on recipe_id = recipes.id where request_id = :id limit 1"),
            {"id": request_id},
        ).scalar_one()
    return found


def test_a_picture_is_drawn_in_its_own_shape(tenant: InputTenant, works: Works) -> None:
    request = ask(tenant, image=ready(tenant, 42, width=192, height=96))
    recipe = _recipe(works, request["id"])
    assert recipe["width"] > recipe["height"]


def test_what_waits_for_its_input_is_planned_once_that_is_ready(tenant: InputTenant, works: Works) -> None:
    image = tenant.post(saved(product(96, 96, seed=43))).json()["id"]
    request = ask(tenant, image=image)
    (item,) = made(works, tenant, request["id"])
    assert item["state"] == "pending"
    tenant.look()
    (item,) = made(works, tenant, request["id"])
    assert item["state"] == "released"


def test_an_input_erased_meanwhile_fails_that_item_alone(tenant: InputTenant, works: Works) -> None:
    gone, kept = ready(tenant, 44), ready(tenant, 45)
    first, second = ask(tenant, image=gone), ask(tenant, image=kept)
    assert tenant.client.delete(f"/v1/inputs/{gone}").status_code == 200
    (one,) = made(works, tenant, first["id"])
    (other,) = made(works, tenant, second["id"])
    assert (one["state"], one["reason"], other["state"]) == ("failed", "input_erased", "released")


def test_an_input_erased_while_it_was_drawn_over_releases_nothing(tenant: InputTenant, works: Works) -> None:
    image = ready(tenant, 46)
    request = ask(tenant, image=image)
    (batch_id,) = works.look()
    erase: Callable[..., object] = lambda *_: tenant.client.delete(f"/v1/inputs/{image}")  # noqa: E731
    before = works.s3.keys("released/")
    works.executor(FakeSampler(between=erase)).run(batch_id)
    (item,) = made(works, tenant, request["id"])
    assert (item["state"], item["reason"]) == ("failed", "input_erased")
    assert works.s3.keys("released/") == before


@pytest.mark.parametrize(("shape", "reason"), [({"white": False}, "mask_empty"), ({"width": 64}, "mask_size")])
def test_a_mask_that_says_nothing_fails_its_item(
    shape: dict[str, Any], reason: str, tenant: InputTenant, works: Works
) -> None:
    image, held = ready(tenant, 47), mask(tenant, level=5, **shape)
    if reason == "mask_size":
        assert refused(tenant, image=image, mask=held)["code"] == "mask_size"
        return
    (item,) = made(works, tenant, ask(tenant, image=image, mask=held)["id"])
    assert (item["state"], item["reason"]) == ("failed", reason)


def test_a_given_picture_is_upscaled_as_it_is(tenant: InputTenant, works: Works) -> None:
    request = ask(tenant, image=ready(tenant, 48, width=120, height=80), task="upscale")
    recipe = _recipe(works, request["id"])
    assert (recipe["width"], recipe["height"], recipe["upscaler"]["factor"]) == (120, 80, 4)
    (item,) = made(works, tenant, request["id"])
    assert item["state"] == "released"


def test_what_does_not_fit_is_named_by_field(tenant: InputTenant, module_api: ApiServer) -> None:
    image = ready(tenant, 49)
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"task": "inpaint"}, "image", "picture_missing"),
        ({"image": image, "task": "text-to-image"}, "image", "picture_not_used"),
        ({"image": image, "reference_image": image}, "reference_image", "picture_not_used"),
        ({"control_image": image}, "task", "model_limit"),
        ({"strength": 0.5}, "strength", "model_limit"),
        ({"image": image, "strength": 0}, "strength", "too_small"),
        ({"image": image, "strength": 0.001}, "strength", "model_limit"),
        ({"image": image, "strength": 1.5}, "strength", "too_large"),
    ]
    for asked, field, code in cases:
        found = refused(tenant, **asked)
        assert (found["field"], found["code"]) == (field, code), asked
    assert ask(tenant, image=image, strength=1)["items"] == 1
    theirs = ready(InputTenant.of(module_api, "rival"), 50)
    for unknown in (theirs, "no-id"):
        answered = tenant.client.post("/v1/requests", json={"prompt": PROMPT, "model": "studio", "image": unknown})
        problem(answered, 404, "not_found")


def test_a_refused_input_refuses_what_would_be_made_from_it(
    tenant: InputTenant, works: Works, module_api: ApiServer, tmp_path: Path
) -> None:
    image = ready(tenant, 51)
    verdict = '{"decision": "refuse", "policy_version": "p", "scores": {}, "findings": [{"decision": "refuse",'
    verdict += ' "stage": "input", "category": "forbidden", "rule": "listed", "score": 1, "detail": ""}]}'
    late = ask(tenant, image=image)
    with module_api.line.owner.begin() as conn:
        conn.execute(
            text("update inputs set state = 'refused', key = null, verdict = cast(:v as jsonb) where id = :id"),
            {"v": verdict, "id": image},
        )
    accepted = ask(tenant, image=image)
    assert (accepted["refused_items"], accepted["refused"][0]["rule"]) == (1, "listed")
    sampler = FakeSampler()
    for batch_id in works.look():
        works.executor(sampler).run(batch_id)
    (item,) = tenant.client.get(f"/v1/requests/{late['id']}/items").json()["data"]
    assert (item["state"], sampler.claims) == ("refused", [])
