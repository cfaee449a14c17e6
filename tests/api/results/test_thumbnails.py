"""Thumbnails: small, of the released bytes alone, and of no other tenant's assets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from api.edge.problems import Problem
from api.results.thumbnails import small_picture
from tests.support.campaigns import settled_campaign
from tests.support.client import ApiTenant, problem
from workers.jobs.types import StoredRendition
from workers.settings import Settings
from workers.store import ObjectStore


def test_a_thumbnail_is_made_of_the_released_bytes_and_of_no_others(settings_for: Callable[..., Settings]) -> None:
    written = BytesIO()
    Image.new("RGB", (600, 300), (200, 30, 40)).save(written, "JPEG")
    content, key = written.getvalue(), "released/acme/one/original.jpg"
    ObjectStore(settings_for("worker")).put(key, content, "image/jpeg")
    digest = hashlib.sha256(content).hexdigest()
    store = ObjectStore(settings_for("api"))
    small = Image.open(BytesIO(small_picture(store, None, [_file(key, digest)])))
    assert (small.format, small.size) == ("WEBP", (256, 128))
    with pytest.raises(Problem, match="not the one that was released"):
        small_picture(store, None, [_file(key, "0" * 64)])
    with pytest.raises(Problem, match="no file of a format"):
        small_picture(store, None, [])


def _file(key: str, digest: str) -> StoredRendition:
    return StoredRendition("jpeg", key, "image/jpeg", 600, 300, 1, digest)


def test_what_is_no_picture_or_another_tenant_s_has_no_thumbnail(api: ApiTenant) -> None:
    sent = settled_campaign(api)
    address = f"/v1/assets/{sent.released[0]}/thumbnail"
    assert "cannot be shown" in problem(sent.caller.get(address), 404, "not_found")["detail"]
    problem(api.server.caller("another-tenant").get(address), 404, "not_found")
