"""Backgrounds removed and replaced, from the request to the released files and the mask beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from policy.ledger.reading import questions
from policy.ledger.reading.report import asset_report
from policy.marks.cutouts.files import decode_cutout
from policy.marks.encode import decode, decode_png
from policy.marks.inspect import inspect
from policy.marks.provenance.manifest import ManifestReader
from tests.conftest import S3
from tests.support.backgrounds import REMOVE, REPLACE, SIDE, asked, made, photo, told
from tests.support.client import ApiServer, problem
from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.products import bottle
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works
from workers.jobs.types import Claim
from workers.masks import mask as masks
from workers.masks.mask import MaskSource
from workers.masks.proof import audit
from workers.sampling.types import Pictures, Sampled, Watch
from workers.store import ObjectStore

LARGE = 512  # a cut-out's watermark has the product alone to lie in


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.fixture
def works(module_api: ApiServer, s3: S3) -> Works:
    return Works(module_api.line, module_api.settings_for, s3)


def file_of(works: Works, event: dict[str, Any], name: str) -> bytes:
    (found,) = [one for one in event["renditions"] if one["name"] == name]
    return ObjectStore(works.settings_for("worker")).get(found["key"])


class SeeingSampler(FakeSampler):
    """Keeps what it was given with each item."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Pictures] = []

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Pictures] | None = None) -> Sampled:
        self.seen += (pictures or {}).values()
        return super().sample(held, watch, pictures)


def test_a_background_is_removed_without_a_model_and_the_mask_lies_beside_the_cut_out(
    tenant: InputTenant, works: Works
) -> None:
    image, _ = photo(tenant, 1, LARGE)
    device = FakeSampler()
    request = asked(tenant, REMOVE, image=image)
    item = made(works, tenant, request, device)
    assert item["state"] == "released", told(works, "item.held", request)["verdict"]
    assert device.claims == []
    event = told(works, "item.released", request)
    assert (event["recipe"]["model"], event["recipe"]["task"]) == ("u2netp", REMOVE)
    _, alpha = decode_cutout(file_of(works, event, "original"), "image/png")
    mask = masks.decode(file_of(works, event, "mask"), MaskSource.NETWORK, event["product"]["mask"]["method"])
    assert np.array_equal(alpha, mask.alpha)
    assert mask.sha256 == event["product"]["mask"]["sha256"]
    assert event["product"]["check"]["score"] >= 0.5
    anchors = works.settings_for("worker").trust_anchors
    assert anchors is not None
    found = inspect(file_of(works, event, "original"), anchors.read_text())
    assert found.manifest is not None
    assert found.manifest.digital_source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert [one.title for one in found.manifest.ingredients] == [image]
    assert event["marks"]["declaration"] == event["marks"]["renditions"]["jpeg"]["declaration"] == "modified"
    assert event["marks"]["transparency"]["read_over"][:2] == ["white", "black"]
    with works.line.auditor.connect() as conn:
        lineage = questions.lineage(conn, event["asset_id"])
        report = asset_report(conn, event["asset_id"], origin="test", head="")
    assert lineage is not None
    assert lineage["product"]["mask"]["sha256"] == mask.sha256
    assert [one["input_id"] for one in lineage["inputs"]] == [image]
    assert report is not None
    assert any(mask.sha256 in cell for section in report.sections for row in section.rows for cell in row)


def test_what_a_model_draws_is_cut_out_of_its_ground_in_the_size_asked_for(tenant: InputTenant, works: Works) -> None:
    shot = bottle(256, ground="studio", seed=5)
    device = FakeSampler(pictures={"row-1": shot.picture})
    drawn = {"width": 256, "height": 256, "canvas": [LARGE, LARGE], "background": "transparent"}
    request = asked(tenant, "text-to-image", renditions=["original", "webp", "jpeg"], **drawn)
    item = made(works, tenant, request, device)
    assert item["state"] == "released", told(works, "item.held", request)["verdict"]
    (claim,) = device.claims
    assert (claim.recipe.canvas, claim.recipe.background) == (None, "")
    event = told(works, "item.released", request)
    assert (event["recipe"]["canvas"], event["recipe"]["background"]) == ([LARGE, LARGE], "transparent")
    for name, kind in (("original", "image/png"), ("webp", "image/webp")):
        pixels, alpha = decode_cutout(file_of(works, event, name), kind)
        assert pixels.shape == (LARGE, LARGE, 3)
        assert 0 < (alpha == 255).mean() < 0.5 < (alpha == 0).mean() + 0.3
    flat = decode(file_of(works, event, "jpeg"), "image/jpeg")
    assert (flat[:8, :8] > 245).all(), "JPEG shows it on white"
    assert event["marks"]["declaration"] == "generated"
    assert {one["name"] for one in event["renditions"]} == {"original", "webp", "jpeg", "mask"}
    assert event["product"]["mask"]["source"] == "network"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"task": REMOVE, "background": "transparent"}, "background"),
        ({"task": REPLACE, "background": "transparent"}, "background"),
        ({"task": REMOVE, "canvas": [512, 512]}, "canvas"),
        ({"task": REPLACE, "canvas": [512, 512]}, "canvas"),
        ({"task": "text-to-image", "canvas": [8192, 4096]}, "width"),
    ],
)
def test_a_canvas_and_a_ground_have_no_place_where_a_picture_decides_them(
    tenant: InputTenant, more: dict[str, Any], field: str
) -> None:
    image = {} if more["task"] == "text-to-image" else {"image": photo(tenant, 1)[0]}
    body = {"prompt": "a wooden table", "model": "studio", **image, **more}
    document = problem(tenant.client.post("/v1/requests", json=body), 422, "invalid_body")
    assert [error["field"] for error in document["errors"]] == [field]


def test_a_mask_is_looked_at_through_its_asset_and_is_no_result_unless_it_is_asked_for(
    tenant: InputTenant, works: Works
) -> None:
    image, mask = photo(tenant, 2, LARGE)
    request = asked(tenant, REMOVE, image=image, mask=mask)
    made(works, tenant, request)
    (asset,) = tenant.client.get(f"/v1/requests/{request}/assets").json()["data"]
    names = {one["name"]: one["file_name"] for one in asset["renditions"]}
    assert names == {"original": "row-1.png", "jpeg": "row-1.jpg", "mask": "row-1-mask.png"}
    assert asset["provenance"]["product"]["mask"]["source"] == "supplied"
    results = f"/v1/requests/{request}/results"
    assert "mask" not in tenant.client.get(results).text
    assert "row-1-mask.png" in tenant.client.get(results, params={"channel": "mask"}).text


def test_a_product_is_put_on_the_ground_of_its_prompt_with_its_own_pixels(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 3)
    request = asked(tenant, REPLACE, image=image, mask=mask)
    device = FakeSampler()
    assert made(works, tenant, request, device)["state"] == "released"
    (claim,) = device.claims
    assert (claim.recipe.task, claim.recipe.canvas, claim.items[0].prompt) == ("text-to-image", None, "a wooden table")
    event = told(works, "item.released", request)
    assert event["recipe"]["canvas"] == [SIDE, SIDE]
    assert event["recipe"]["clearing"] == "cleared", "studio always draws one of the things that it knows"
    assert event["product"]["lock"]["largest"] == 0
    assert event["product"]["lock"]["pixels"] > 5_000
    shot, released = bottle(SIDE, ground="studio", seed=3), decode_png(file_of(works, event, "original"))
    inside = shot.alpha == 255
    assert np.abs(released.astype(int) - shot.picture)[inside].mean() < 4, "the mark alone changed it"
    assert np.abs(released.astype(int) - shot.picture)[shot.alpha == 0].mean() > 20


def test_every_file_of_a_replaced_ground_can_be_checked_with_the_picture_that_was_sent(
    tenant: InputTenant, works: Works
) -> None:
    image, mask = photo(tenant, 7)
    source = bottle(SIDE, ground="studio", seed=7).picture
    place = {"placement": {"x": 0.55, "scale": 0.9}, "shadow": {"angle": 30, "drop": 0.5}}
    square = {"name": "square", "size": [200, 200], "fit": "pad"}
    request = asked(tenant, REPLACE, image=image, mask=mask, ground=place, channels=[square])
    assert made(works, tenant, request)["state"] == "released"
    event = told(works, "item.released", request)
    assert event["product"]["ground"]["shadow"]["angle"] == 30
    assert event["product"]["writing"] == {"alike": None, "lines": None}
    anchors = works.settings_for("worker").trust_anchors
    assert anchors is not None
    reader = ManifestReader(anchors.read_text())
    for stored in event["renditions"]:
        if stored["name"] == "mask":
            continue
        data = file_of(works, event, stored["name"])
        pixels = decode(data, stored["media_type"])
        steps, _, _ = audit(pixels, reader.read(data, stored["media_type"]), source)
        assert {step.name for step in steps} == {"manifest", "source", "before marks", "product", "as recorded"}
        assert all(step.holds for step in steps), (stored["name"], steps)
    locks = [event["marks"]["lock"], *(one["lock"] for one in event["marks"]["renditions"].values())]
    assert all(0 < lock["mean"] <= lock["bounds"]["mean"] for lock in locks)


def test_a_strict_lock_marks_the_ground_alone(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 8)
    request = asked(tenant, REPLACE, image=image, mask=mask, lock="strict")
    item = made(works, tenant, request)
    event = told(works, f"item.{item['state']}", request)
    assert event["recipe"]["lock"] == "strict"
    assert item["state"] == "released"
    lock = event["marks"]["lock"]
    assert (lock["largest"], lock["watermark_on"], lock["strict"]) == (0, "ground", True)


def test_a_product_placed_off_the_picture_fails_with_its_remedy(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 9)
    request = asked(tenant, REPLACE, image=image, mask=mask, ground={"placement": {"x": 1.9}})
    item = made(works, tenant, request)
    assert (item["state"], item["reason"]) == ("failed", "no_place")


def test_a_ground_is_drawn_around_the_product_that_the_model_sees(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 10)
    request = asked(tenant, REPLACE, image=image, mask=mask, ground={"around": True})
    device = SeeingSampler()
    assert made(works, tenant, request, device)["state"] == "released"
    (claim,) = device.claims
    assert (claim.recipe.task, claim.recipe.strength) == ("inpaint", 1.0)
    (given,) = device.seen
    assert set(given) == {"image", "mask_image"}
    anew = np.asarray(given["mask_image"].convert("L"))
    assert 0.5 < (anew > 127).mean() < 0.95


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lock": "strict", "task": REMOVE}, "lock"),
        ({"ground": {"around": True}, "task": REMOVE}, "ground"),
        ({"ground": {"shadow": {"angle": 81}}}, "ground.shadow.angle"),
        ({"ground": {"placement": {"scale": 0}}}, "ground.placement.scale"),
        ({"lock": "very"}, "lock"),
    ],
    ids=str,
)
def test_what_a_lock_and_a_ground_cannot_be_is_named(wrong: dict[str, Any], field: str, tenant: InputTenant) -> None:
    body = {"prompt": "a table", "model": "studio", "task": REPLACE, "image": photo(tenant, 6)[0], **wrong}
    errors = problem(tenant.client.post("/v1/requests", json=body), 422, "invalid_body")["errors"]
    assert errors[0]["field"] == field


def test_a_doubtful_mask_holds_the_picture_with_its_reason(tenant: InputTenant, works: Works) -> None:
    shot = bottle(SIDE, seed=4)
    halves = np.zeros((SIDE, SIDE, 3), np.uint8)
    halves[:, :40], halves[100:200, 150:200] = 255, 255  # touches the border, and is in two parts
    image, mask = (str(tenant.sent(saved(one))["id"]) for one in (shot.picture, halves))
    request = asked(tenant, REPLACE, image=image, mask=mask)
    assert made(works, tenant, request)["state"] == "held"
    event = told(works, "item.held", request)
    rules = {one["rule"] for one in event["verdict"]["findings"]}
    assert {"mask/border", "mask/parts"} <= rules
    assert [one["name"] for one in event["renditions"]] == ["original", "jpeg", "mask"]
    assert {"border", "parts"} <= set(event["product"]["check"]["faults"])


@pytest.mark.parametrize(("level", "reason"), [(255, "mask_full"), (0, "mask_empty")])
def test_a_mask_that_says_nothing_fails_its_item(level: int, reason: str, tenant: InputTenant, works: Works) -> None:
    image, _ = photo(tenant, 5 + level)
    mask = tenant.sent(saved(np.full((SIDE, SIDE, 3), level, np.uint8)))["id"]
    item = made(works, tenant, asked(tenant, REMOVE, image=image, mask=mask))
    assert (item["state"], item["reason"]) == ("failed", reason)


@pytest.mark.parametrize(
    ("wrong", "field"), [({"width": 128, "height": 128}, "width"), ({"upscale": 4}, "upscale"), ({}, "image")]
)
def test_what_a_cut_out_has_no_place_for_is_named(wrong: dict[str, Any], field: str, tenant: InputTenant) -> None:
    pictures = {"image": photo(tenant, 6)[0]} if wrong else {}
    body = {"prompt": "a bottle", "model": "studio", "task": REMOVE, **pictures, **wrong}
    (error,) = problem(tenant.client.post("/v1/requests", json=body), 422, "invalid_body")["errors"]
    assert error["field"] == field


def test_models_say_which_tasks_they_can_be_asked_for(tenant: InputTenant) -> None:
    tasks = tenant.client.get("/v1/models").json()["data"][0]["tasks"]
    assert {"text-to-image", "inpaint", "upscale", REMOVE, REPLACE} <= set(tasks)


def test_a_campaign_that_draws_nothing_from_words_needs_no_template(tenant: InputTenant, works: Works) -> None:
    image, mask = photo(tenant, 21, LARGE)
    other, more = photo(tenant, 22, LARGE)
    rows = f"sku,image,mask\na,{image},{mask}\nb,{other},{more}\n"
    spec = {"task": REMOVE, "model": "studio", "key": "sku", "renditions": ["original"]}
    sent = {"spec": json.dumps(spec)}
    answered = tenant.client.post("/v1/campaigns", data=sent, files={"file": ("goods.csv", rows)})
    assert answered.status_code == 202, answered.text
    assert {one["code"] for one in answered.json()["warnings"]} == set()
    sent["spec"] = json.dumps(spec | {"task": REPLACE})
    refused = tenant.client.post("/v1/campaigns", data=sent, files={"file": ("goods.csv", rows)})
    assert problem(refused, 422, "invalid_campaign")["errors"][0]["code"] == "empty_prompt"
