"""/v1/inputs: what may be sent, what is refused and by which name, and what is kept of it."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from policy.images.hash_list import line as hash_line
from tests.support.client import ApiServer, problem
from tests.support.foreign_files import chunk, png, saved
from tests.support.pictures import product
from tests.support.rule_files import written
from tests.support.sent_inputs import InputTenant
from workers.store import ObjectStore

SHOWN = product(96, 64)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "Camera of Jane"
    tags.get_ifd(0x8825)[1] = "N"
    return tags.tobytes()


def cut_out() -> Image.Image:
    picture = Image.fromarray(np.dstack([SHOWN, np.full(SHOWN.shape[:2], 255, np.uint8)]))
    picture.paste((10, 20, 30, 0), (0, 0, 48, 64))
    return picture


def archive(picture: bytes) -> bytes:
    file = io.BytesIO(picture)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as packed:
        packed.writestr("run.sh", "true")
    return file.getvalue()


TAKEN: dict[str, tuple[bytes, dict[str, Any]]] = {
    "png": (saved(SHOWN), {"width": 96, "height": 64, "media_type": "image/png", "transparent": False}),
    "jpeg": (saved(SHOWN, "JPEG"), {"media_type": "image/jpeg"}),
    "webp": (saved(SHOWN, "WEBP"), {"media_type": "image/webp"}),
    "avif": (saved(SHOWN, "AVIF"), {"media_type": "image/avif"}),
    "rotated": (saved(SHOWN, "JPEG", exif=exif(6)), {"width": 64, "height": 96}),
    "alpha": (saved(cut_out()), {"transparent": True}),
    "16-bit": (saved(Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)), {"width": 64}),
    "CMYK": (saved(Image.fromarray(SHOWN).convert("CMYK"), "JPEG"), {"width": 96}),
    "polyglot": (archive(saved(SHOWN, compress_level=9)), {"width": 96}),
}
FRAMES = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green")]
NOT_READ: dict[str, tuple[bytes, str]] = {
    "animated png": (saved(FRAMES[0], save_all=True, append_images=FRAMES[1:]), "animated"),
    "animated webp": (saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animated"),
    "tiny": (saved(np.zeros((4, 90, 3), np.uint8)), "too_small"),
    "broken stream": (png(90, 90, chunk(b"IDAT", b"x\x9cnothing")), "damaged"),
    "a side too long": (saved(Image.new("1", (9000, 20))), "too_many_pixels"),
}
NOT_STORED: dict[str, tuple[bytes, str, str]] = {
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "not_a_picture", "SVG"),
    "heic": (struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic", "not_a_picture", "HEIC"),
    "gif": (saved(FRAMES[0], "GIF"), "not_a_picture", "GIF"),
    "tiff": (saved(FRAMES[0], "TIFF"), "not_a_picture", "TIFF"),
    "html": (b"<!DOCTYPE html><html>", "not_a_picture", "HTML"),
    "pdf": (b"%PDF-1.7", "not_a_picture", "PDF"),
    "empty": (b"", "empty", ""),
    "bomb": (png(30_000, 30_000), "too_many_pixels", ""),
    "truncated": (saved(SHOWN)[:200], "damaged", ""),
}


@pytest.fixture(scope="module")
def tenant(module_api: ApiServer) -> InputTenant:
    return InputTenant.of(module_api, "acme")


@pytest.mark.parametrize("case", TAKEN)
def test_a_picture_is_kept_upright_and_bare(case: str, tenant: InputTenant, module_api: ApiServer) -> None:
    data, expected = TAKEN[case]
    found = tenant.sent(data, name=f"{case}.bin")
    assert (found["state"], found["decision"], found["name"]) == ("ready", "allow", f"{case}.bin")
    assert {name: found[name] for name in expected} == expected
    with module_api.line.owner.connect() as conn:
        key = conn.scalar(text("select key from inputs where id = :id"), {"id": found["id"]})
    kept = ObjectStore(module_api.settings_for("worker")).get(key)
    picture = Image.open(io.BytesIO(kept))
    assert (picture.format, picture.size, picture.info) == ("PNG", (found["width"], found["height"]), {})
    assert b"Jane" not in kept
    if case == "alpha":
        assert picture.getpixel((5, 5)) == (255, 255, 255, 0)  # what was hidden is not there any more


@pytest.mark.parametrize("case", NOT_READ)
def test_what_cannot_be_an_input_fails_with_its_reason(case: str, tenant: InputTenant) -> None:
    data, reason = NOT_READ[case]
    found = tenant.sent(data)
    assert (found["state"], found["reason"], found["sha256"]) == ("failed", reason, None)
    assert found["detail"]


@pytest.mark.parametrize("case", NOT_STORED)
def test_what_is_no_picture_by_its_first_bytes_is_named_and_not_stored(case: str, tenant: InputTenant) -> None:
    data, code, named = NOT_STORED[case]
    before = len(tenant.client.get("/v1/inputs").json()["data"])
    answered = tenant.post(data)
    document = problem(answered, 422, "invalid_body")
    assert document["errors"][0]["code"] == code
    assert named in document["errors"][0]["message"]
    assert document["errors"][0]["remedy"]
    assert len(tenant.client.get("/v1/inputs").json()["data"]) == before


def test_the_same_file_is_one_input_and_another_tenant_s_is_another(tenant: InputTenant, module_api: ApiServer) -> None:
    data = saved(product(80, 80, seed=3))
    first, again = tenant.post(data).json(), tenant.post(data, "other name.png").json()
    assert first["id"] == again["id"]
    other = InputTenant.of(module_api, "rival")
    theirs = other.post(data).json()
    assert theirs["id"] != first["id"]
    for method in ("GET", "DELETE"):
        problem(other.client.request(method, f"/v1/inputs/{first['id']}"), 404, "not_found")
    tenant.look()
    kinds = [event.kind for event in module_api.line.events() if f"input:{first['id']}" in event.subjects]
    assert kinds == ["input.received", "input.screened"]


def test_the_body_itself_may_be_the_picture(tenant: InputTenant) -> None:
    data = saved(product(80, 80, seed=4))
    sent = tenant.client.post("/v1/inputs", content=data, headers={"Content-Type": "image/png"})
    assert (sent.status_code, sent.json()["state"]) == (202, "received")


def test_a_consent_is_kept_and_said_in_the_ledger(tenant: InputTenant, module_api: ApiServer) -> None:
    data = saved(product(80, 80, seed=5))
    assert tenant.post(data).json()["consent"] == ""
    assert tenant.post(data, consent="release 2026-114").json()["consent"] == "release 2026-114"
    id = tenant.post(data).json()["id"]
    said = [e.event["consent"] for e in module_api.line.events("input.received") if f"input:{id}" in e.subjects]
    assert said == [False, True]


def test_an_erased_input_is_gone_and_can_be_sent_again(tenant: InputTenant, module_api: ApiServer) -> None:
    data = saved(product(80, 80, seed=6))
    found = tenant.sent(data, name="jane.png")
    gone = tenant.client.delete(f"/v1/inputs/{found['id']}")
    assert (gone.status_code, gone.json()["state"], gone.json()["name"]) == (200, "erased", "")
    assert tenant.client.delete(f"/v1/inputs/{found['id']}").status_code == 200
    withdrawn = [e for e in module_api.line.events("input.withdrawn") if f"input:{found['id']}" in e.subjects]
    assert [(e.event["reason"], e.event["sha256"]) for e in withdrawn] == [("erased", found["sha256"])]
    assert tenant.sent(data)["id"] != found["id"]


def test_an_input_erased_before_it_was_looked_at_stays_erased(tenant: InputTenant) -> None:
    id = tenant.post(saved(product(80, 80, seed=7))).json()["id"]
    tenant.client.delete(f"/v1/inputs/{id}")
    tenant.look()
    assert tenant.read(id)["state"] == "erased"


def test_what_policy_refuses_is_not_stored(module_api: ApiServer, tmp_path: Path) -> None:
    forbidden = product(256, 256, seed=8)
    listed = (hash_line(forbidden, "forbidden", "ours") + "\n").encode()
    (tmp_path / "list.txt").write_bytes(listed)
    part = {"kind": "hash-list", "name": "list", "file": "list.txt", "sha256": hashlib.sha256(listed).hexdigest()}
    rule = {"id": "forbidden/listed", "classifier": "list", "scores": ["forbidden"], "refuse": 0.76}
    rules = written(
        tmp_path,
        categories={"forbidden": {"description": "listed"}, "sexual": {"description": "sexual content"}},
        image={"classifiers": [part], "rules": [rule]},
    )
    tenant = InputTenant.of(module_api, "acme", policy_rules=rules)
    found = tenant.sent(saved(forbidden, "JPEG", quality=80))
    assert (found["state"], found["decision"], found["sha256"]) == ("refused", "refuse", None)
    assert [(f["rule"], f["decision"]) for f in found["findings"]] == [("forbidden/listed", "refuse")]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/a.png", "https"),
        ("https://127.0.0.1/a.png", "public"),
        ("https://user@shop.example/a.png", "user"),
    ],
)
def test_an_address_is_held_to_the_rules_of_webhooks(url: str, said: str, tenant: InputTenant) -> None:
    document = problem(tenant.client.post("/v1/inputs", json={"url": url}), 422, "invalid_body")
    assert document["errors"][0]["field"] == "url"
    assert said in document["errors"][0]["message"]
