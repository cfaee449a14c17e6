"""Exports of Shopify, Google Merchant and a German Excel: two flags in, named files of three channels out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from deploy.cli import main
from tests.conftest import S3
from tests.support.client import ApiTenant
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import Failed
from workers.store import ObjectStore, released_key

CHANNELS = ("square", "story", "marketplace-main")
MERCHANT = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Acme</title><item><g:id>G-1</g:id>
<g:title>Backpack</g:title><g:price>9.00 EUR</g:price></item><item><g:id>G/2</g:id><g:title>Teapot &amp; lid</g:title>
</item></channel></rss>"""


def shopify(folder: Path) -> Path:
    header = ["Handle", "Title", "Body (HTML)", "Option1 Value", "Variant SKU", "Variant Price", "SEO Title", ""]
    rows = [
        ["red-backpack", "Backpack", "<p>A <b>bag</b></p>", "Red", "BP-001", "49.00", "#N/A", ""],
        ["red-backpack", "", "", "Blue", "BP-002", "49.00", "", ""],
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    (folder / "shopify.csv").write_text(text.getvalue(), "utf-8-sig")
    return folder / "shopify.csv"


def merchant(folder: Path) -> Path:
    (folder / "feed.xml").write_text(MERCHANT, "utf-8")
    return folder / "feed.xml"


def german(folder: Path) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Artikelliste"], [], ["Artikelnummer", "Bezeichnung", "Größe", None], [4711.0, "backpack", 42.0]):
        sheet.append(row)
    sheet.append([4712.0, "car", "=1+1"])
    book.save(folder / "artikel.xlsx")
    return folder / "artikel.xlsx"


EXPORTS = [
    (
        shopify,
        "a {Option1 Value} {Title}",
        {"key": ["Variant SKU"], "fill_down": ["Title"], "group": "Handle"},
        "BP-001",
    ),
    (merchant, "a {title}", {"key": ["id"]}, "G-1"),
    (german, "a {Bezeichnung}", {"key": ["Artikelnummer"]}, "4711"),
]


def presswork(*arguments: str | Path) -> Result:
    told = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert told.exit_code == 0, told.output
    return told


def half_made(api: ApiTenant, request_id: str) -> None:
    """Of two images one is released with all its files, and one failed."""
    line, store = api.server.line, ObjectStore(api.server.settings_for("worker"))
    mine = [item for item in api.items() if item.request_id == request_id]
    with line.worker.begin() as conn:
        batch_id = dispatch(conn, "gpu", mine[0].recipe_id, [one.id for one in mine], lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "w", anyway=True)
        assert held is not None
        good = released(held, held.items[0])
        (original,) = good.renditions
        files = []
        for name in ("original", *(channel.name for channel in held.items[0].channels)):
            media_type = "image/png" if name == "original" else "image/jpeg"
            key = released_key(held.items[0].tenant, held.items[0].id, held.attempt, name, media_type)
            data = f"{name} of {held.items[0].custom_id}".encode()
            digest = store.put(key, data, media_type)
            files.append(replace(original, name=name, key=key, media_type=media_type, sha256=digest, bytes=len(data)))
        settle(conn, held, [replace(good, renditions=tuple(files)), Failed(held.items[1], "worker_lost")])


def test_three_exports_come_back_as_named_files_and_only_failed_rows_are_sent_again(
    api: ApiTenant, s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with api.server.served() as served:
        monkeypatch.setenv("PRESSWORK_URL", f"http://127.0.0.1:{served.port}")
        monkeypatch.setenv("PRESSWORK_KEY", api.caller().headers["Authorization"].removeprefix("Bearer "))
        for made, template, said, first in EXPORTS:
            round_trip(api, tmp_path / made.__name__, made, (template, said, first))


def round_trip(
    api: ApiTenant, folder: Path, made: Callable[[Path], Path], export: tuple[str, dict[str, object], str]
) -> None:
    template, said, first = export
    folder.mkdir()
    spec = folder / "spec.json"
    named = {"channels": [*CHANNELS], "file": "{custom_id}.{channel}.{ext}"}
    spec.write_text(json.dumps({**said, **named}))
    flags = ("--spec", spec, "--template", template)
    told = presswork("campaign", "submit", made(folder), *flags)
    assert "2 rows, 2 items" in told.output
    request_id = told.output.partition("request ")[2][:36]
    half_made(api, request_id)
    presswork("fetch", request_id, "--to", folder / "out", "--now")
    there = {path.name for path in (folder / "out").iterdir() if path.suffix in {".png", ".jpg"}}
    assert there == {f"{first}.original.png", *(f"{first}.{channel}.jpg" for channel in CHANNELS)}
    with (folder / "out" / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["presswork_state"] for row in csv.DictReader(file)] == ["released"] * 4 + ["failed"]
    failed = folder / "failed.csv"
    presswork("campaign", "items", request_id, "--only", "failed", "-o", failed)
    again = presswork("campaign", "submit", failed, *flags)
    assert "1 rows, 1 items" in again.output
