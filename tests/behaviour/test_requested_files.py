"""Requested files, from the wish to the ledger: each marked, each listed, each in one place."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from policy.marks.channels.channel import Channel, LabelStyle
from policy.marks.inspect import inspect
from policy.marks.renditions import DEFAULT, RENDITIONS
from tests.support.client import ApiTenant, campaign, problem
from tests.support.fakes import FakeSampler
from tests.support.line import Line, new_item
from tests.support.worker import Works
from tests.workers.gpu.test_finish import GREY
from workers.jobs.asset_views import get_asset
from workers.jobs.tables import assets, holds
from workers.jobs.views import get_request
from workers.states import ItemState
from workers.store import ObjectStore

ALL = tuple(RENDITIONS)


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def test_every_file_that_was_asked_for_is_marked_stored_listed_and_in_the_ledger(works: Works):
    (item_id,) = works.line.submit("acme", 1, renditions=ALL)
    works.executor().run(works.line.dispatch([item_id]))
    with works.line.as_tenant("acme") as conn:
        view = get_asset(conn, "acme", conn.scalars(select(assets.c.id)).one())
    assert [(file.name, file.media_type) for file in view.renditions] == [
        ("original", "image/png"),
        *sorted((name, kind) for name, kind in RENDITIONS.items() if name != "original"),
    ]
    assert sorted(file.key.rpartition("/")[2] for file in view.renditions) == [
        "avif.avif",
        "jpeg.jpg",
        "original.png",
        "webp.webp",
    ]
    worker = works.settings_for("worker")
    anchors, store = worker.trust_anchors.read_text(), ObjectStore(worker)
    for file in view.renditions:
        seen = inspect(store.get(file.key), anchors)
        assert seen.watermark.watermark_id == view.watermark_id
        assert (seen.manifest.state, seen.manifest.asset_id) == ("Trusted", view.id)
        assert "prompt" not in seen.manifest.generation
        assert "Iptc4xmpExt:AIPromptInformation" not in seen.xmp
    (told,) = works.line.events("item.released")
    assert {file["sha256"] for file in told.event["renditions"]} == {file.sha256 for file in view.renditions}
    assert set(told.event["marks"]["renditions"]) == set(ALL) - {"original"}


def test_a_held_picture_waits_with_all_its_files(works: Works):
    (item_id,) = works.line.submit("acme", 1, renditions=DEFAULT)
    works.executor(FakeSampler(pictures={"row-1": GREY})).run(works.line.dispatch([item_id]))
    assert works.line.states() == {ItemState.HELD: 1}
    with works.line.auditor.connect() as conn:
        hold = conn.execute(select(holds)).one()
    assert [file["name"] for file in hold.renditions] == list(DEFAULT)
    assert works.s3.keys() == works.s3.keys("quarantine/") == sorted(file["key"] for file in hold.renditions)


def test_a_prompt_is_in_public_files_only_where_its_request_says_so(works: Works):
    said, silent = "a teal teapot for everybody to see", "a red kettle for nobody"
    (public,) = works.line.submit("acme", 1, new_items=[new_item(1, prompt=said)], publish_prompt=True)
    (private,) = works.line.submit("acme", 1, new_items=[new_item(1, prompt=silent)])
    works.executor().run(works.line.dispatch([public, private]))
    store = ObjectStore(works.settings_for("worker"))
    for key in works.s3.keys("released/"):
        file = store.get(key)
        seen = inspect(file)
        if public in key:
            assert seen.manifest.generation["prompt"] == said
            assert seen.xmp["Iptc4xmpExt:AIPromptInformation"] == said
        else:
            assert silent.encode() not in file
    assert [event.event["publish_prompt"] for event in works.line.events("request.accepted")] == [True, False]


def test_the_wish_is_kept_with_the_request_and_in_the_ledger(api: ApiTenant):
    caller = api.caller()
    ask = {"prompt": "a red kettle"}
    plain = caller.post("/v1/requests", json=ask).json()
    chosen = caller.post("/v1/requests", json={**ask, "renditions": ["avif", "webp"], "publish_prompt": True}).json()
    replies = [caller.get(accepted["links"]["request"]).json() for accepted in (plain, chosen)]
    assert [reply["renditions"] for reply in replies] == [list(DEFAULT), ["original", "webp", "avif"]]
    assert [reply["publish_prompt"] for reply in replies] == [False, True]
    recorded = {event.event["request_id"]: event.event for event in api.events("request.accepted")}
    assert recorded[plain["id"]]["renditions"] == list(DEFAULT)
    assert recorded[chosen["id"]]["publish_prompt"] is True
    with api.server.line.as_tenant(api.tenant) as conn:
        assert get_request(conn, api.tenant, chosen["id"]).renditions == ("original", "webp", "avif")


def test_a_file_that_there_is_not_is_named_with_those_that_there_are(api: ApiTenant):
    refused = api.caller().post("/v1/requests", json={"prompt": "a red kettle", "renditions": ["tiff"]})
    assert refused.status_code == 422
    assert "there is no rendition 'tiff'; there are original, jpeg, webp, avif" in refused.text


def test_channels_are_made_inside_the_line_listed_and_in_the_ledger(works: Works):
    channels = (
        Channel("square", 256, 256),
        Channel("shop", 200, 250, fit="pad", label=LabelStyle(language_column="L")),
    )
    rows = [new_item(1, carried=("de",)), new_item(2, carried=("",))]
    ids = works.line.submit("acme", 2, new_items=rows, channels=channels, carried_columns=("L",))
    works.executor().run(works.line.dispatch(ids))
    released = works.line.events("item.released")
    labels = [event.event["marks"]["renditions"]["shop"]["label"]["text"] for event in released]
    assert labels == ["KI-generiert", "AI-generated"]
    with works.line.as_tenant("acme") as conn:
        view = get_asset(conn, "acme", conn.scalars(select(assets.c.id).order_by(assets.c.id)).first())
    sizes = {file.name: (file.width, file.height) for file in view.renditions}
    assert sizes == {"original": (128, 128), "shop": (200, 250), "square": (256, 256)}
    (accepted,) = works.line.events("request.accepted")
    assert [channel["name"] for channel in accepted.event["channels"]] == ["square", "shop"]
    assert "language_column" not in accepted.event["channels"][1]["label"]


def test_channels_are_asked_for_by_preset_or_field_and_named_in_results(api: ApiTenant):
    spec = {"channels": ["square", {"name": "shop", "size": [200, 250], "file": "{colour}.{channel}.jpg"}]}
    sent = campaign(api.caller(), "object,colour\ncar,red\n", {"template": "a {object}", **spec}).json()
    with api.server.line.as_tenant(api.tenant) as conn:
        view = get_request(conn, api.tenant, sent["id"])
    assert [channel["name"] for channel in view.channels] == ["square", "shop"]
    assert view.file_templates["shop"] == "{colour}.{channel}.jpg"
    label = {"name": "x", "size": [200, 250], "label": {"language_column": "colour"}}
    wrong = problem(campaign(api.caller(), channels=[label]), 422, "invalid_campaign")
    assert [(e["code"], e.get("row"), e.get("column")) for e in wrong["errors"]] == [
        ("label_language", 1, "colour"),
        ("label_language", 2, "colour"),
    ]
    wrong = problem(campaign(api.caller(), channels=["sqare"]), 422, "invalid_body")
    assert "there is no preset" in str(wrong["errors"])
