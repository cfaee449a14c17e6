"""Marks for pictures of other tools, from the API to the released file: stated, never known, and nothing drawn."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policy.marks.inspect import inspect
from policy.marks.provenance.origin import BASIS
from tests.conftest import S3
from tests.support.client import ApiServer, problem
from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.pictures import texture
from tests.support.rule_files import shipped_for_pictures, written
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works
from workers.identification import loop
from workers.jobs.types import Claim
from workers.sampling.types import Sampled, Watch
from workers.store import ObjectStore

_STATED = {"declaration": "generated", "tool": "Otherwise 7"}


class Idle(FakeSampler):
    """A sampler that nobody may ask."""

    def sample(self, held: Claim, watch: Watch, pictures: Any = None) -> Sampled:
        raise AssertionError("a model was asked")


class Died(BaseException):
    """Stands in for SIGKILL: no handler of ours sees it."""


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.fixture
def works(module_api: ApiServer, s3: S3) -> Works:
    return Works(module_api.line, module_api.settings_for, s3)


def sent(tenant: InputTenant, seed: int, name: str = "", **size: int) -> str:
    picture = texture(size.get("width", 96), size.get("height", 96), seed=seed)
    tenant_input = tenant.sent(saved(picture), name=name or f"folder/banner-{seed}.png")
    assert tenant_input["state"] == "ready", tenant_input
    return str(tenant_input["id"])


def ask(tenant: InputTenant, inputs: list[str], **asked: Any) -> dict[str, Any]:
    pictures = [{"input": id} for id in inputs]
    answered = tenant.client.post("/v1/marks", json={"origin": _STATED, "pictures": pictures, **asked})
    assert answered.status_code == 202, answered.text
    accepted: dict[str, Any] = answered.json()
    return accepted


def marked(works: Works, tenant: InputTenant, request_id: str, executor: Any = None) -> list[dict[str, Any]]:
    executor = executor or works.executor(Idle())
    while batches := works.look():
        for batch_id in batches:
            executor.run(batch_id)
    items: list[dict[str, Any]] = tenant.client.get(f"/v1/requests/{request_id}/items").json()["data"]
    return items


def test_a_picture_of_another_tool_is_released_with_marks_and_what_was_stated(
    tenant: InputTenant, works: Works, module_api: ApiServer
) -> None:
    inputs = [sent(tenant, 1), sent(tenant, 2, width=128)]
    channel = {"name": "wide", "size": [192, 96], "fit": "pad", "label": {"size": 0.2}}
    request = ask(tenant, inputs, channels=[channel], renditions=["original", "jpeg"])
    assert (request["kind"], request["model"], request["items"]) == ("marks", "made-elsewhere", 2)
    items = marked(works, tenant, request["id"])
    assert [(one["state"], one["custom_id"]) for one in items] == [
        ("released", "folder/banner-1"),
        ("released", "folder/banner-2"),
    ]
    table = tenant.client.get(f"{request['links']['results']}?format=csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    names = sorted(row["presswork_file_name"] for row in rows)
    assert names == [
        *("folder_banner-1.jpg", "folder_banner-1.png", "folder_banner-1.wide.jpg"),
        *("folder_banner-2.jpg", "folder_banner-2.png", "folder_banner-2.wide.jpg"),
    ]
    assert {row["file"] for row in rows} == {"folder/banner-1.png", "folder/banner-2.png"}
    assert {row["presswork_ai_declaration"] for row in rows} == {"generated"}
    assert {row["presswork_label"] for row in rows} == {"", "AI-generated"}
    event = next(e.event for e in works.line.events("item.released") if e.event["request_id"] == request["id"])
    origin = event["marks"]["origin"]
    assert (origin["basis"], origin["tool"], origin["found"]) == (BASIS, "Otherwise 7", [])
    accepted = [e.event for e in works.line.events("request.accepted") if e.event["request_id"] == request["id"]]
    assert accepted[0]["origin"]["stated_by"] == origin["stated_by"] != ""
    data = ObjectStore(module_api.settings_for("worker")).get(event["renditions"][0]["key"])
    anchors = module_api.settings_for("worker").trust_anchors
    assert anchors is not None
    found = inspect(data, anchors.read_text())
    assert found.manifest is not None
    assert found.manifest.state == "Trusted"
    assert found.watermark is not None
    assert f"{found.watermark.watermark_id:012x}" == event["marks"]["watermark"]["id"]


def test_marks_that_a_picture_has_already_are_told(tenant: InputTenant, works: Works, module_api: ApiServer) -> None:
    first = ask(tenant, [sent(tenant, 3)])
    marked(works, tenant, first["id"])
    event = next(e.event for e in works.line.events("item.released") if e.event["request_id"] == first["id"])
    ours = ObjectStore(module_api.settings_for("worker")).get(event["renditions"][0]["key"])
    again = ask(tenant, [tenant.sent(ours, name="ours.png")["id"]])
    (item,) = marked(works, tenant, again["id"])
    assert item["state"] == "released"
    event = next(e.event for e in works.line.events("item.released") if e.event["request_id"] == again["id"])
    assert any(word.startswith("a C2PA manifest of Presswork") for word in event["marks"]["origin"]["found"])
    assert event["asset_id"] not in " ".join(event["marks"]["origin"]["found"])


def test_a_worker_that_dies_half_way_doubles_nothing(tenant: InputTenant, works: Works) -> None:
    request = ask(tenant, [sent(tenant, 4), sent(tenant, 5)])

    def probe(point: str, held: object) -> None:
        if point == "finishing":
            raise Died(point)

    (batch_id,) = works.look()
    with pytest.raises(Died):
        works.executor(Idle(), probe=probe).run(batch_id)
    works.line.lease_runs_out(batch_id)
    items = marked(works, tenant, request["id"])
    assert [one["state"] for one in items] == ["released", "released"]
    told = [e for e in works.line.events("item.released") if e.event["request_id"] == request["id"]]
    assert len(told) == 2


def test_transparency_fails_its_picture_alone(tenant: InputTenant, works: Works) -> None:
    clear = np.dstack([texture(96, 96, seed=6), np.full((96, 96), 90, np.uint8)])
    request = ask(tenant, [sent(tenant, 7), tenant.sent(saved(clear), name="clear.png")["id"]])
    items = marked(works, tenant, request["id"])
    assert [(one["state"], one["reason"]) for one in items] == [("released", None), ("failed", "input_transparent")]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"origin": {"declaration": "none", "source_type": "trainedAlgorithmicMedia"}}, "does not go with"),
        ({"origin": {"declaration": "none"}, "channels": [{"preset": "square", "label": {}}]}, "a label says that"),
        ({"file": "{sku}.png"}, "is no column"),
        ({"file": "../{custom_id}"}, "is no path"),
        ({"width": 512}, "width"),
    ],
)
def test_what_cannot_be_is_said(asked: dict[str, Any], words: str, tenant: InputTenant) -> None:
    body = {"origin": _STATED, "pictures": [{"input": sent(tenant, 8)}], **asked}
    found = problem(tenant.client.post("/v1/marks", json=body), 422, "invalid_body")
    assert words in str(found["errors"])


def test_names_and_sizes_are_checked_before_anything_is_stored(tenant: InputTenant) -> None:
    small, twice = sent(tenant, 9, width=32), sent(tenant, 10, name="a.png")
    pictures = [{"input": small}, {"input": twice, "custom_id": "x"}, {"input": twice, "custom_id": "x"}]
    found = problem(
        tenant.client.post("/v1/marks", json={"origin": _STATED, "pictures": pictures}), 422, "invalid_body"
    )
    assert [one["code"] for one in found["errors"]] == ["input_size", "duplicate_custom_id", "duplicate_custom_id"]


def test_an_input_of_another_tenant_is_none(module_api: ApiServer, tenant: InputTenant) -> None:
    foreign = InputTenant.of(module_api, "globex")
    body = {"origin": _STATED, "pictures": [{"input": sent(foreign, 11)}]}
    problem(tenant.client.post("/v1/marks", json=body), 404, "not_found")


@pytest.mark.parametrize(("absent", "state"), [("hold", "held"), ("refuse", None)])
def test_a_rule_set_can_demand_a_label(
    absent: str, state: str | None, module_api: ApiServer, s3: S3, tmp_path: Path
) -> None:
    rules = written(tmp_path, **shipped_for_pictures(), label={"absent": absent})
    tenant = InputTenant(
        module_api.caller("acme", policy_rules=rules), loop.make_context(module_api.settings_for("identify"))
    )
    works = Works(module_api.line, module_api.settings_for, s3)
    body = {"origin": _STATED, "pictures": [{"input": sent(tenant, 12)}], "channels": ["square"]}
    answered = tenant.client.post("/v1/marks", json=body)
    if state is None:
        assert problem(answered, 422, "invalid_body")["errors"][0]["code"] == "label_demanded"
        return
    (item,) = marked(works, tenant, answered.json()["id"], works.executor(Idle(), policy_rules=rules))
    assert (item["state"], [one["rule"] for one in item["verdict"]["findings"]]) == (state, ["marks/label-absent"])
    labelled = {**body, "channels": [{"preset": "square", "label": {}}]}
    request = tenant.client.post("/v1/marks", json=labelled).json()
    (item,) = marked(works, tenant, request["id"], works.executor(Idle(), policy_rules=rules))
    assert item["state"] == "released"
