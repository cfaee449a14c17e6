"""/v1/soft-bindings: a picture whose manifest was stripped gets it back, where the installation says so."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import c2pa
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from bench.pictures.scenes import scene
from policy.marks.inspect import inspect
from policy.marks.provenance.carried import manifest_store
from tests.support.client import ApiServer, problem
from tests.support.released import Gallery
from workers.settings import Settings

ROOT, ALG = "/v1/soft-bindings", "presswork.dwtdctsvd"
OPEN = {"soft_binding_tenants": "somebody,acme"}


@pytest.fixture
def gallery(own_api: ApiServer, settings_for: Callable[..., Settings]) -> Gallery:
    return Gallery(own_api.line, settings_for)


def bound(watermark_id: int) -> str:
    return base64.b64encode(watermark_id.to_bytes(6, "big")).decode()


def test_a_stripped_picture_gets_its_manifest_back_until_it_is_recalled(own_api: ApiServer, gallery: Gallery) -> None:
    shown, other = gallery.release([scene(12), scene(13)])
    stripped = io.BytesIO()
    Image.open(io.BytesIO(shown.data)).convert("RGB").save(stripped, "PNG")
    found = inspect(stripped.getvalue())
    assert found.manifest is None
    assert found.watermark is not None
    anyone = own_api.anonymous(**OPEN)
    value = bound(found.watermark.watermark_id)
    told = anyone.get(f"{ROOT}/matches/byBinding", params={"alg": ALG, "value": value}).json()
    assert told == {"matches": [{"manifestId": f"urn:uuid:{shown.asset_id}", "similarityScore": 100}]}
    assert anyone.post(f"{ROOT}/matches/byBinding", json={"alg": ALG, "value": value}).json() == told
    in_digits = base64.b64encode(f"{shown.watermark_id:012x}".encode()).decode()
    assert anyone.get(f"{ROOT}/matches/byBinding", params={"alg": ALG, "value": in_digits}).json() == told
    answer = anyone.get(f"{ROOT}/manifests/{told['matches'][0]['manifestId']}")
    assert answer.headers["content-type"] == "application/c2pa"
    assert answer.content == manifest_store(shown.data)
    with c2pa.Reader("application/c2pa", io.BytesIO(answer.content)) as reader:
        assert shown.asset_id in reader.json()
    with own_api.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled' where id = :id"), {"id": shown.asset_id})
    gone = anyone.get(f"{ROOT}/matches/byBinding", params={"alg": ALG, "value": value})
    assert gone.json() == {"matches": []}
    problem(anyone.get(f"{ROOT}/manifests/urn:uuid:{shown.asset_id}"), 404, "not_found")
    assert anyone.get(f"{ROOT}/manifests/urn:uuid:{other.asset_id}").status_code == 200
    own_api.line.add_tenant("somebody")
    of_others = own_api.anonymous(soft_binding_tenants="somebody")
    problem(of_others.get(f"{ROOT}/manifests/urn:uuid:{other.asset_id}"), 404, "not_found")


def test_what_is_asked_wrongly_is_told_so(own_api: ApiServer) -> None:
    closed = own_api.anonymous()
    problem(closed.get(f"{ROOT}/services/supportedAlgorithms"), 404, "not_found")
    anyone = own_api.anonymous(soft_binding_tenants="acme")
    assert anyone.get(f"{ROOT}/services/supportedAlgorithms").json() == {
        "watermarks": [{"alg": ALG}], "fingerprints": [],
    }  # fmt: skip
    asked = f"{ROOT}/matches/byBinding"
    for value in ("****", "AAAA", "é" * 8, base64.b64encode(b"not a number!").decode()):
        problem(anyone.get(asked, params={"alg": ALG, "value": value}), 422, "invalid_parameters")
    other = anyone.get(asked, params={"alg": "com.example.other.1", "value": bound(7)})
    assert other.json() == {"matches": []}
    problem(anyone.get(f"{ROOT}/manifests/urn:uuid:nonsense"), 404, "not_found")
    document = problem(anyone.get(f"{ROOT}/manifests/x?returnActiveManifest=true"), 422, "invalid_parameters")
    assert "whole stores" in document["detail"]
    once = own_api.anonymous(soft_binding_tenants="acme", public_detector_per_minute=1)
    answers = [once.get(f"{ROOT}/services/supportedAlgorithms") for _ in range(11)]
    problem(answers[-1], 429, "rate_limited")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_without_a_store_carries_none(kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(file, kind)
    whole = file.getvalue()
    assert manifest_store(whole) is None
    for end in (3, 10, 40, len(whole) // 2):
        assert manifest_store(whole[:end]) is None
