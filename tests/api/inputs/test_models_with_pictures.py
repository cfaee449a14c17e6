"""Models that are shown pictures, from the API to the released file, drawn by real pipelines with random weights."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policy.marks.inspect import inspect
from tests.conftest import S3
from tests.support.client import ApiServer, problem
from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.sent_inputs import InputTenant
from tests.support.tiny_models.instances import build
from tests.support.tiny_models.references import add_reference
from tests.support.worker import Works
from workers.sampling.cards.registry import Registry
from workers.sampling.sampler import DiffusersSampler
from workers.store import ObjectStore

SIDE = 64  # of what is drawn: the least that can be marked
MODELS = ("sd-control", "instruct-pix2pix", "flux.1-kontext")
PROMPT = "a b c"
GENERATED, EDITED = "/trainedAlgorithmicMedia", "/compositeWithTrainedAlgorithmicMedia"


class Studio:
    """A tenant, and a worker with the tiny models."""

    def __init__(self, server: ApiServer, s3: S3, models_dir: Path) -> None:
        caller = server.caller("acme", models_dir=models_dir)
        self.tenant = InputTenant(caller, InputTenant.of(server, "acme").context)
        self.works = Works(server.line, server.settings_for, s3)
        self.server, self.models_dir = server, models_dir
        self.sampler = DiffusersSampler(Registry.load(models_dir), "cpu", 1)

    def ready(self, seed: int, width: int = 96, height: int = 96, **fields: str) -> str:
        found = self.tenant.sent(saved(product(width, height, seed=seed)), **fields)
        assert found["state"] == "ready"
        return str(found["id"])

    def ask(self, **asked: Any) -> str:
        answered = self.tenant.client.post("/v1/requests", json={"prompt": PROMPT, **asked})
        assert answered.status_code == 202, answered.text
        return str(answered.json()["id"])

    def made(self, request_id: str) -> list[dict[str, Any]]:
        """What is told of its items once everything that is due was drawn: all are released."""
        executor = self.works.executor(self.sampler, models_dir=self.models_dir)
        while batches := self.works.look(models_dir=self.models_dir):
            for batch_id in batches:
                executor.run(batch_id)
        items = self.tenant.client.get(f"/v1/requests/{request_id}/items").json()["data"]
        assert {(item["state"], item["reason"]) for item in items} == {("released", None)}
        told = [e.event for e in self.works.line.events("item.released") if e.event["request_id"] == request_id]
        return sorted(told, key=lambda event: (event["row"] or 0, event["variant"]))

    def manifest(self, event: dict[str, Any]) -> Any:
        data = ObjectStore(self.server.settings_for("worker")).get(event["renditions"][0]["key"])
        anchors = self.server.settings_for("worker").trust_anchors
        assert anchors is not None
        manifest = inspect(data, anchors.read_text()).manifest
        assert manifest is not None
        assert manifest.state == "Trusted", manifest.failures
        return manifest


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in MODELS:
        build(folder, name, SIDE)
    build(folder, "ddpm")
    base = build(folder, "sd-1.5", SIDE)
    add_reference(folder, base)
    add_reference(folder, base, "garment", tasks=["try-on"], scale=0.5)
    return folder


@pytest.fixture(scope="module")
def studio(module_api: ApiServer, stack: Any, models_dir: Path) -> Studio:
    return Studio(module_api, S3(stack), models_dir)


def inputs_of(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["role"], each["input_id"]) for each in event["inputs"]]


@pytest.mark.parametrize("control", ["", "canny"])
def test_what_is_drawn_along_a_picture_is_new_and_names_it_as_what_was_shown(control: str, studio: Studio) -> None:
    guide = studio.ready(80)
    (event,) = studio.made(studio.ask(model="sd-control", control_image=guide, control=control))
    assert (event["recipe"]["task"], event["recipe"].get("control", "")) == ("control", control)
    assert inputs_of(event) == [("control_image", guide)]
    assert event["marks"]["declaration"] == "generated"
    manifest = studio.manifest(event)
    assert manifest.digital_source_type.endswith(GENERATED)
    assert [(one.relationship, one.title) for one in manifest.ingredients] == [("inputTo", guide)]


@pytest.mark.parametrize("model", ["instruct-pix2pix", "flux.1-kontext"])
def test_an_instruction_changes_a_picture_which_is_its_parent(model: str, studio: Studio) -> None:
    image = studio.ready(81)
    (event,) = studio.made(studio.ask(model=model, image=image))
    assert event["recipe"]["task"] == "edit"
    assert (inputs_of(event), event["marks"]["declaration"]) == ([("image", image)], "modified")
    manifest = studio.manifest(event)
    assert manifest.digital_source_type.endswith(EDITED)
    assert [(one.relationship, one.title) for one in manifest.ingredients] == [("parentOf", image)]


def test_rows_of_a_campaign_name_maps_of_the_zip(studio: Studio) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, seed in (("one.png", 82), ("two.png", 83)):
            archive.writestr(name, saved(product(96, 96, seed=seed)))
    spec = {"template": "a {colour} b", "model": "sd-control", "control": "canny"}
    files = {"file": ("r.csv", b"colour,control_image\nred,one.png\nblue,two.png\nred,one.png\n")}
    files |= {"pictures": ("p.zip", file.getvalue())}
    answered = studio.tenant.client.post("/v1/campaigns", files=files, data={"spec": json.dumps(spec)})
    assert answered.status_code == 202, answered.text
    studio.tenant.look()
    one, two, again = (inputs_of(event) for event in studio.made(answered.json()["id"]))
    assert one == again != two
    assert [role for role, _ in one] == ["control_image"]


def test_another_map_is_another_picture_and_the_same_one_is_taken_again(studio: Studio) -> None:
    maps = [studio.ready(84), studio.ready(85)]
    asked = {"model": "sd-control", "seed": 5}
    first, other = (studio.made(studio.ask(**asked, control_image=guide))[0] for guide in maps)
    assert first["receipt"]["pixels"] != other["receipt"]["pixels"]
    again = studio.ask(**asked, control_image=maps[0])
    (item,) = studio.tenant.client.get(f"/v1/requests/{again}/items").json()["data"]
    assert (item["reused"], item["asset_id"]) == (True, first["asset_id"])


def test_a_map_without_edges_fails_its_item(studio: Studio) -> None:
    flat = str(studio.tenant.sent(saved(np.full((96, 96, 3), 90, np.uint8)))["id"])
    request = studio.ask(model="sd-control", control_image=flat, control="canny")
    with pytest.raises(AssertionError, match="control_empty"):
        studio.made(request)


def test_a_model_that_takes_no_such_picture_refuses_it_by_name(studio: Studio) -> None:
    image = studio.ready(86)
    for asked, code, field in (
        ({"model": "sd-control", "image": image}, "model_limit", "task"),
        ({"model": "sd-control"}, "picture_missing", "control_image"),
        ({"model": "instruct-pix2pix", "control_image": image}, "model_limit", "task"),
        ({"model": "sd-control", "control_image": image, "strength": 0.5}, "model_limit", "strength"),
    ):
        answered = studio.tenant.client.post("/v1/requests", json={"prompt": PROMPT, **asked})
        found = problem(answered, 422, "invalid_body")["errors"][0]
        assert (found["code"], found["field"]) == (code, field), asked


def test_the_style_of_a_picture_is_taken_and_the_network_is_on_record(studio: Studio) -> None:
    looks = [studio.ready(87), studio.ready(88)]
    asked = {"model": "sd-1.5", "seed": 6}
    one, other = (studio.made(studio.ask(**asked, reference_image=look))[0] for look in looks)
    assert one["receipt"]["pixels"] != other["receipt"]["pixels"]
    assert (one["recipe"]["task"], one["recipe"]["reference"]["name"]) == ("style", "look")
    assert (inputs_of(one), one["marks"]["declaration"]) == ([("reference_image", looks[0])], "generated")
    manifest = studio.manifest(one)
    assert [(each.relationship, each.title) for each in manifest.ingredients] == [("inputTo", looks[0])]
    assert [(part["role"], part["name"]) for part in manifest.generation["parts"]] == [("reference", "look")]
    assert one["recipe"]["reference"]["scale"] == 1.0


def try_on(studio: Studio, **consent: str) -> dict[str, Any]:
    person = np.dstack([product(96, 96, seed=89 if consent else 90), np.full((96, 96), 255, np.uint8)])
    person[30:70, 30:70, 3] = 0  # where the garment is to be
    image = str(studio.tenant.sent(saved(person), **consent)["id"])
    return {"model": "sd-1.5", "task": "try-on", "image": image, "reference_image": studio.ready(91)}


def test_a_garment_is_put_on_a_person_who_agreed_and_both_pictures_are_ingredients(studio: Studio) -> None:
    asked = try_on(studio, consent="release 2026-11-30 of A. Doe")
    (event,) = studio.made(studio.ask(**asked))
    assert (event["recipe"]["task"], event["recipe"]["reference"]["scale"]) == ("try-on", 0.5)
    assert inputs_of(event) == [("image", asked["image"]), ("reference_image", asked["reference_image"])]
    assert [each.get("consent") for each in event["inputs"]] == [True, None]
    assert event["marks"]["declaration"] == "modified"
    related = [(each.relationship, each.title) for each in studio.manifest(event).ingredients]
    assert related == [("parentOf", asked["image"]), ("inputTo", asked["reference_image"])]


def test_without_a_stated_consent_nobody_is_dressed(studio: Studio) -> None:
    asked = try_on(studio)
    body = {"prompt": PROMPT, **asked}
    document = problem(studio.tenant.client.post("/v1/requests", json=body), 422, "invalid_body")
    (found,) = document["errors"]
    assert (found["code"], found["field"]) == ("consent_missing", "image")
    assert "consent" in found["remedy"]


def test_a_consent_that_a_stricter_rule_set_asks_for_later_refuses_what_waits(studio: Studio) -> None:
    """Nothing is drawn: the rule set of the worker decides, whatever that of the door was."""
    request = studio.ask(model="instruct-pix2pix", image=studio.ready(92))
    executor = studio.works.executor(studio.sampler, models_dir=studio.models_dir)
    reader = executor.sources
    rules = replace(reader.rules, consent=replace(reader.rules.consent, tasks=frozenset({"edit"})))
    executor.sources = replace(reader, rules=rules)
    for batch_id in studio.works.look(models_dir=studio.models_dir):
        executor.run(batch_id)
    (item,) = studio.tenant.client.get(f"/v1/requests/{request}/items").json()["data"]
    assert item["state"] == "refused"
    (event,) = [e.event for e in studio.works.line.events("item.refused") if e.event["request_id"] == request]
    assert event["verdict"]["findings"][0]["rule"] == "consent/absent"


def test_what_was_made_from_pictures_is_drawn_again_from_them_to_the_bit(studio: Studio) -> None:
    asked = {"model": "sd-1.5", "reproducible": "strict", "reference_image": studio.ready(93), "reference_scale": 0.4}
    (first,) = studio.made(studio.ask(**asked))
    here = f"/v1/assets/{first['asset_id']}/reproductions"
    accepted = studio.tenant.client.post(here)
    assert accepted.status_code == 202, accepted.text
    (second,) = studio.made(accepted.json()["id"])
    assert inputs_of(second) == inputs_of(first)
    assert studio.tenant.client.get(f"{here}/{accepted.json()['id']}").json()["result"] == "exact"
    assert studio.tenant.client.delete(f"/v1/inputs/{asked['reference_image']}").status_code == 200
    document = problem(studio.tenant.client.post(here), 409, "conflict")
    assert "was erased" in document["detail"]


def test_a_model_that_reads_no_words_is_asked_without_any(studio: Studio) -> None:
    send = studio.tenant.client.post
    answered = send("/v1/requests", json={"model": "ddpm", "dry_run": True})
    assert answered.status_code == 200, answered.text
    wrong = send("/v1/requests", json={"model": "ddpm", "num_inference_steps": 999})
    assert problem(wrong, 422, "invalid_body")["errors"][0]["field"] == "num_inference_steps"
    spec = {"data": {"spec": json.dumps({"model": "ddpm", "dry_run": True})}}
    answered = send("/v1/campaigns", files={"file": ("r.csv", b"custom_id\na\nb\n")}, **spec)
    assert (answered.status_code, answered.json()["items"]) == (200, 2), answered.text
