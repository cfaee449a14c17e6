"""As a user would: the presswork command, the real model, every process; then a killed worker and a tampered row."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from PIL import Image

from deploy.client import Client
from deploy.commands.demo import CAMPAIGN, TEMPLATE, UPSCALE
from deploy.commands.shared.stack import attached
from deploy.embedded import background
from policy.marks.inspect import inspect

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
ROWS = len(CAMPAIGN.read_text().splitlines()) - 1
FEW = 12  # the last rows, three batches: one is under way when the worker is killed; one row is held, one refused


def presswork(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=280)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo has run here, and everything it started goes on running."""
    data = tmp_path_factory.mktemp("presswork") / "data"
    done = presswork(data, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    (data / "demo.out").write_text(done.stdout)
    yield data
    if background.running(data) is not None:
        presswork(data, "down")


def test_the_demo_makes_every_row_and_shows_where_it_is(data: Path) -> None:
    said = (data / "demo.out").read_text()
    assert "contact-sheet.html" in said
    assert "/docs" in said
    assert "the ledger is intact" in said
    (sheet,) = data.glob("demo/*/contact-sheet.png")
    with Image.open(sheet) as picture:
        assert picture.width > 1500
    made = list(data.glob("demo/*/images/*.png"))
    assert len(made) >= 24
    with Client.of(data) as client:
        (request,) = client.get("/v1/requests")["data"]
        assert sum(request["counts"].values()) == request["items"] == ROWS
        assert request["counts"]["released"] == len(made)
        assert request["counts"]["refused"] == 1
    for path in made:
        with Image.open(path) as picture:
            assert picture.size == (128 * UPSCALE, 128 * UPSCALE)


def test_every_picture_carries_the_marks_its_record_names(data: Path) -> None:
    anchors = (data / "keys" / "anchors.pem").read_text()
    with Client.of(data) as client:
        (request,) = client.get("/v1/requests")["data"]
        for asset in client.assets(request["id"]):
            assert [file["name"] for file in asset["renditions"]] == ["original", "jpeg"]
            for file in asset["renditions"]:
                found = inspect(client.fetch(file["url"]), anchors).to_json()
                assert found["manifest"]["state"] == "Trusted"
                assert found["manifest"]["asset_id"] == asset["id"]
                assert found["manifest"]["watermark_id"] == found["watermark"]["id"] == asset["watermark_id"]


def test_a_copy_of_a_picture_is_recognised_and_a_foreign_one_is_not(data: Path, tmp_path: Path) -> None:
    with Client.of(data) as client:
        (request,) = client.get("/v1/requests")["data"]
        asset = next(iter(client.assets(request["id"])))
        wait(lambda: client.get(f"/v1/assets/{asset['id']}")["search"], "the asset to be indexed")
        copy, foreign, text = tmp_path / "copy.jpg", tmp_path / "foreign.png", tmp_path / "text.jpg"
        with Image.open(io.BytesIO(client.fetch(asset["renditions"][0]["url"]))) as released:
            side = released.width
            released.convert("RGB").resize((2 * side, 2 * side)).save(copy, quality=90)
    Image.effect_noise((300, 200), 90).convert("RGB").save(foreign)
    text.write_text("no picture")
    found = presswork(data, "identify", str(copy), "--json")
    answer = json.loads(found.stdout)
    assert (found.returncode, answer["finding"], answer["lineage"]["asset_id"]) == (0, "ours", asset["id"]), answer
    assert presswork(data, "identify", str(foreign)).returncode == 1
    told = presswork(data, "identify", str(copy), str(text))
    assert told.returncode == 3
    assert "OURS" in told.stdout
    assert "not_a_picture" in told.stdout


def test_no_secret_stands_in_an_environment_that_the_system_shows(data: Path) -> None:
    """Which role has which secret is tests/deploy/embedded/test_environment.py: it reaches a process after its fork."""
    state = background.running(data)
    assert state is not None
    ours = ("api", "planner", "sealer", "clerk", "identify", "worker")
    seen = {part.name: psutil.Process(part.pid).environ() for part in state.components if part.name in ours}
    assert set(seen) == set(ours)
    told = "\n".join(value for environment in seen.values() for value in environment.values())
    secrets = json.loads((data / "passwords.json").read_text())
    assert [name for name, secret in secrets.items() if str(secret) in told] == []
    assert [name for name in seen if {"PRESSWORK_SIGNING_KEY", "PRESSWORK_LEDGER_KEY"} & set(seen[name])] == []
    assert (data / "passwords.json").stat().st_mode & 0o777 == 0o600


def test_a_second_up_and_status_find_what_runs(data: Path) -> None:
    again = presswork(data, "up")
    assert again.returncode == 0
    told = presswork(data, "status").stdout
    for part in ("postgres", "valkey", "seaweed", "api", "planner", "sealer", "clerk", "identify", "worker"):
        assert re.search(rf"{part}\s+ready", told), told


def test_a_worker_killed_in_the_middle_is_replaced_and_the_campaign_finishes(data: Path, tmp_path: Path) -> None:
    with Client.of(data) as client:
        spec = {"template": TEMPLATE, "name": "killed", "priority": "interactive"}
        few = tmp_path / "few.csv"
        header, *rows = CAMPAIGN.read_text().splitlines(keepends=True)
        few.write_text("".join([header, *rows[-FEW:]]))
        request = client.submit_campaign(few, spec)["id"]
        wait(lambda: client.request(request)["counts"]["planned"] > 0, "the campaign to be planned")
        killed = worker_pid(data)
        os.kill(killed, signal.SIGKILL)
        wait(lambda: client.request(request)["state"] == "finished", "the campaign to finish", seconds=200)
        counts = client.request(request)["counts"]
        assert counts["failed"] == 0
        assert sum(counts.values()) == FEW
        assert worker_pid(data) != killed


def test_held_pictures_are_reviewed_from_the_command_line(data: Path) -> None:
    """One is released and one refused, by a reviewer who is not the one that submitted."""
    assert "presswork review list" in (data / "demo.out").read_text()
    queue = [json.loads(line) for line in presswork(data, "review", "list", "--json").stdout.splitlines()]
    good, bad = (hold["item_id"] for hold in queue[:2])
    table = presswork(data, "review", "list").stdout
    assert good in table
    assert "brands" in table
    unseen = presswork(data, "review", "release", good, "--comment", "licensed")
    assert unseen.returncode == 1
    assert f"presswork review show {good}" in unseen.stderr
    looked = presswork(data, "review", "show", good)
    assert (looked.returncode, "brands/" in looked.stdout) == (0, True), looked.stderr
    with Image.open(data / "review" / f"{good}.png") as picture:
        assert picture.size == (512, 512)  # enlarged before it was screened: what is released is what was seen
    own = presswork(data, "review", "release", good, "--comment", "mine", "--key-file", str(data / "api.key"))
    assert own.returncode == 1
    assert "Another person must decide about your own request" in own.stderr
    ordered = presswork(data, "review", "release", good, "--comment", "licensed")
    assert (ordered.returncode, "release ordered" in ordered.stdout) == (0, True), ordered.stderr
    assert presswork(data, "review", "show", bad, "-o", str(data / "bad.png")).returncode == 0
    assert presswork(data, "review", "refuse", bad, "--comment", "a logo").returncode == 0
    again = presswork(data, "review", "refuse", bad, "--comment", "a logo")
    assert (again.returncode, "was refused by a review" in again.stderr) == (1, True)
    with Client.of(data) as client:
        wait(lambda: client.get(f"/v1/items/{good}")["state"] == "released", "the clerk to release it")
        asset = client.get(f"/v1/assets/{client.get(f'/v1/items/{good}')['asset_id']}")
        content = client.fetch(asset["renditions"][0]["url"])
        assert client.get(f"/v1/items/{bad}")["state"] == "refused"
    assert content == (data / "review" / f"{good}.png").read_bytes(), "what was looked at is what left"
    found = inspect(content, (data / "keys" / "anchors.pem").read_text()).to_json()
    assert (found["manifest"]["state"], found["watermark"]["id"]) == ("Trusted", asset["watermark_id"])
    decided = presswork(data, "review", "list", "--decided", "yes").stdout
    assert good in decided
    assert bad in decided


def test_an_edited_ledger_row_is_named(data: Path) -> None:
    assert presswork(data, "audit", "verify").returncode == 0
    engine = sa.create_engine(attached(data).postgres.url("superuser"))
    with engine.begin() as conn:
        conn.execute(sa.text("alter table audit.entries disable trigger all"))
        edited = conn.execute(
            sa.text(
                "update audit.entries"
                " set body = convert_to(replace(convert_from(body, 'UTF8'), 'refuse', 'allow'), 'UTF8')"
                " where kind = 'item.refused' and id = (select min(id) from audit.entries where kind = 'item.refused')"
                " returning event_id::text"
            )
        ).scalar_one()
    engine.dispose()
    verdict = presswork(data, "audit", "verify")
    assert verdict.returncode == 1
    assert edited in verdict.stdout


def test_down_stops_everything_and_keeps_the_data(data: Path) -> None:
    state = background.running(data)
    assert state is not None
    assert presswork(data, "down").returncode == 0
    assert not any(psutil.pid_exists(part.pid) for part in state.components)
    refused = presswork(data, "status")
    assert refused.returncode == 1
    assert "presswork up" in refused.stderr
    assert (data / "postgres" / "PG_VERSION").exists()


def worker_pid(data: Path) -> int:
    state = background.running(data)
    assert state is not None
    return next(part.pid for part in state.components if part.name == "worker")


def wait(condition: object, what: str, seconds: float = 200) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)
