"""Source pictures of a catalogue: the bytes decide, an address that gives none blocks its row, none leads inside."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.support.catalogues import Catalogue
from tests.support.client import ApiTenant
from tests.support.foreign_files import png
from tests.support.receiver import receiving
from tests.support.sent_inputs import InputTenant

SPEC = {
    "name": "photos",
    "key": "sku",
    "picture": "photo",
    "make": {"template": "a {title}", "task": "image-to-image", "strength": 0.5},
    "limits": {"changed_percent": 100},
}


def photo(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (128, 128), colour).save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_an_input_by_its_content_and_another_name_with_the_same_bytes_changes_nothing(
    api: ApiTenant,
) -> None:
    goods = Catalogue(api, SPEC)
    ids = [
        goods.client.post("/v1/inputs", files={"file": (f"{colour}.png", photo(colour))}).json()["id"]
        for colour in ("red", "blue")
    ]
    again = goods.client.post("/v1/inputs", files={"file": ("other-name.png", photo("red"))}).json()["id"]
    assert again == ids[0]
    rows = (
        f"sku,title,photo\na,chair,{ids[0]}\nb,chair,{ids[1]}\nc,chair,\nd,chair,http://10.0.0.1/x.png\ne,chair,x.png\n"
    )
    plan = goods.plan(rows)
    assert goods.changes(plan) == [
        ("a", 1, "create", "new"),
        ("b", 1, "create", "new"),
        ("c", 1, "blocked", "no_picture"),
        ("d", 1, "blocked", "fetch_address_refused"),
        ("e", 1, "blocked", "picture_unusable"),
    ]
    begun = goods.applied(plan)
    assert {item.custom_id for item in api.items() if item.request_id == begun["request_id"]} == {"a", "b"}


def test_an_address_is_fetched_once_and_only_its_bytes_make_a_change(api: ApiTenant) -> None:
    goods = Catalogue(api, SPEC, {"webhook_loopback": True, "input_max_bytes": 8_192})
    with receiving() as server:
        server.body, server.headers = photo("red"), {"ETag": '"1"'}
        rows = f"sku,title,photo\na,chair,{server.url}\nb,chair,{server.url}\n"
        begun = goods.applied(goods.plan(rows))
        assert len(server.asked) == 1
        InputTenant.of(api.server, api.tenant).look()
        goods.make(begun["request_id"])
        server.status = 304
        assert goods.plan(rows)["counts"] == {"keep": 2}
        assert server.asked[-1].headers["if-none-match"] == '"1"'
        server.status = 200
        moved = rows.replace("acme", "another")
        assert goods.plan(moved)["counts"] == {"keep": 2}
        server.body = photo("blue")
        assert goods.plan(moved)["causes"] == {"change": {"photo": 2}}
        for status, body, why in (
            (200, b"<html>not here</html>", "not_a_picture"),
            (404, b"", "fetch_status"),
            (302, b"", "fetch_redirect"),
            (200, png(20_000, 20_000), "too_many_pixels"),
            (200, png(9_000, 20), "too_large"),
            (200, b"\x89PNG" + bytes(8_192), "fetch_too_large"),
        ):
            server.status, server.body = status, body
            plan = goods.plan(rows)
            assert plan["counts"] == {"blocked": 2, "keep": 0}
            assert [cause for _, _, _, cause in goods.changes(plan)] == [why, why]
        assert len(goods.live()) == 2
