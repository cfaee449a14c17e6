"""`presswork campaign` and `fetch` against a served API: names, digests, breaks, hostile answers, exit codes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deploy.cli import main
from deploy.client import Client
from deploy.client.address import checked_url
from deploy.client.fetch import Fetch
from deploy.client.targets import BucketTarget, FolderTarget, ZipTarget, harmless
from deploy.errors import AddressInvalid, CallFailed, FetchFailed
from deploy.sheet.page import A_PAGE, page_count, pages
from deploy.sheet.tiles import Tile
from tests.conftest import S3
from tests.support.campaigns import Sent, table
from tests.support.client import ApiTenant
from tests.support.pilots import a_person, make_sample

PICTURES = {"0042.png": b"picture of row-1", "0043.png": b"picture of row-2"}


def presswork(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


def test_a_campaign_is_checked_submitted_fetched_corrected_and_sent_again(
    installed: tuple[Sent, str], tmp_path: Path
) -> None:
    sent, _ = installed
    told = presswork("campaign", "check", "-", "--template", "a {object}", stdin=table())
    assert told.exit_code == 0, told.output
    assert "checked, nothing stored: 5 rows, 5 items" in told.output
    assert "warning: rows are called row-1, row-2 and so on" in told.output

    told = presswork("campaign", "fetch", sent.id, "--to", tmp_path / "out", "--now")
    assert told.exit_code == 0, told.output
    assert "2 files in" in told.output
    assert "5 items: 2 released, 1 held for a reviewer, 1 failed, 1 still to be made" in told.output
    assert pictures(tmp_path / "out") == PICTURES
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "manifest.csv").read_text("utf-8-sig"), newline="")))
    assert [row["presswork_state"] for row in rows] == ["released", "released", "failed", "held", "pending"]

    failed = tmp_path / "failed.csv"
    assert presswork("campaign", "items", sent.id, "--only", "failed", "-o", failed).exit_code == 0
    failed.write_text(failed.read_text("utf-8-sig").replace("0044", "0044b"), "utf-8")
    told = presswork("submit", failed, "--template", "a {object}")
    assert told.exit_code == 0, told.output
    assert "1 rows, 1 items" in told.output
    again = told.output.partition("request ")[2][:36]
    assert f"next: presswork fetch {again}" in told.output
    told = presswork("campaign", "cancel", again)
    assert told.output == "cancelled: 1 items\n"
    listed = presswork("campaign", "list").output.splitlines()
    assert [line[:36] for line in listed[1:]] == [again, sent.id]
    assert "1 failed (worker_lost). Send it again" in presswork("campaign", "show", sent.id).output


def test_what_is_there_is_not_fetched_again_and_half_files_are_replaced(
    installed: tuple[Sent, str], tmp_path: Path
) -> None:
    sent, _ = installed
    (tmp_path / "0042.png").write_bytes(PICTURES["0042.png"])
    (tmp_path / ".abc.presswork-part").write_bytes(b"half")
    told = presswork("fetch", sent.id, "--to", tmp_path, "--now", "--json")
    counts = json.loads(told.output.splitlines()[-1])
    assert (counts["files"], counts["fetched"], counts["problems"]) == (2, 1, [])
    assert pictures(tmp_path) == PICTURES
    assert not list(tmp_path.glob(".*"))


def test_a_file_of_somebody_else_is_not_overwritten(installed: tuple[Sent, str], tmp_path: Path) -> None:
    sent, _ = installed
    (tmp_path / "0043.png").write_bytes(b"mine")
    told = presswork("fetch", sent.id, "--to", tmp_path, "--now")
    assert told.exit_code == 1
    assert "has another file named 0043.png. Remedy: fetch into an empty place" in told.output
    assert (tmp_path / "0043.png").read_bytes() == b"mine"


def test_a_zip_and_a_bucket_get_the_same_files(
    installed: tuple[Sent, str], tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, _ = installed
    assert presswork("fetch", sent.id, "--to", tmp_path / "all.zip", "--now").exit_code == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name.endswith("png")} == PICTURES
        assert "manifest.csv" in archive.namelist()
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]
    assert presswork("fetch", sent.id, "--to", tmp_path / "all.zip", "--now").exit_code == 1

    identity = s3.identity("admin")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", identity.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", identity.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for fetched in (2, 0):
        told = presswork("fetch", sent.id, "--to", f"s3://{s3.bucket}/mine", "--now", "--json")
        assert json.loads(told.output.splitlines()[-1])["fetched"] == fetched, told.output
    assert s3.client().get_object(Bucket=s3.bucket, Key="mine/0042.png")["Body"].read() == PICTURES["0042.png"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(FetchFailed, match="Remedy: check bucket, credentials"):
        BucketTarget(f"s3://{s3.bucket}/mine").digest("0042.png")


class Hostile(Client):
    """An installation that names files as it likes, and whose links break or lead to other bytes."""

    names: tuple[str, ...] = ()
    broken: set[str] = set()  # noqa: RUF012 - replaced by tests

    def results(self, request_id, **query):
        for name, line in zip(self.names, super().results(request_id, **query), strict=False):
            yield {**line, "presswork_file_name": name}

    def fetch(self, url, *, most=None):
        for name in list(self.broken):
            if name in url:
                self.broken.discard(name)
                raise CallFailed("the link ended")
        return super().fetch(url, most=most)


def test_names_of_a_hostile_installation_stay_in_the_folder(installed: tuple[Sent, str], tmp_path: Path) -> None:
    sent, url = installed
    with Hostile(url, sent.caller.headers["Authorization"].removeprefix("Bearer ")) as client:
        client.names = ("../../x.png", "..\\..\\X.PNG")
        client.broken = {"0042.png"}  # a link that ends is asked for again
        done = Fetch(client, sent.id, FolderTarget(tmp_path / "a" / "b")).run(follow=False)
    assert (done.files, done.problems) == (2, [])
    names = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert len(names) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_bytes_with_another_digest_are_not_kept(installed: tuple[Sent, str], tmp_path: Path) -> None:
    sent, url = installed

    class Swapped(Client):
        def fetch(self, url, *, most=None):
            return super().fetch(url, most=most).replace(b"picture", b"mixture")

    with Swapped(url, sent.caller.headers["Authorization"].removeprefix("Bearer ")) as client:
        done = Fetch(client, sent.id, FolderTarget(tmp_path)).run(follow=False)
    assert len(done.problems) == 2
    assert "another SHA-256" in done.problems[0]
    assert pictures(tmp_path) == {}


def test_a_folder_that_is_full_or_a_link_says_so_and_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchFailed, match="Remedy: make room or choose another place"):
        FolderTarget(tmp_path / "file" / "below")
    (tmp_path / "0042.png").symlink_to("/etc/passwd")
    with pytest.raises(FetchFailed, match="is a link"):
        FolderTarget(tmp_path).digest("0042.png")
    target = ZipTarget(tmp_path / "x.zip")
    target.put("a.png", b"a")
    assert ZipTarget(tmp_path / "x.zip").digest("a.png") == hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize("name", ["../x.png", "a/b.png", "manifest.csv", "CON.png", "x" * 400 + ".png", "..", ""])
def test_a_name_from_outside_is_made_harmless(name: str) -> None:
    assert Path(harmless(name)).name == harmless(name)
    assert harmless(name) not in ("manifest.csv", "..", "")
    assert harmless(harmless(name)) == harmless(name)


@pytest.mark.parametrize("url", ["ftp://x", "http://presswork.example.com", "https://me@x", "https://", "x"])
def test_a_key_is_sent_over_tls_or_to_this_machine_only(url: str) -> None:
    with pytest.raises(AddressInvalid, match="Remedy"):
        checked_url(url)
    assert checked_url("https://presswork.example.com/") == "https://presswork.example.com"


def test_what_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRESSWORK_URL", "https://presswork.example.com")
    told = presswork("campaign", "list")
    assert told.exit_code == 1
    assert "there is no key for https://presswork.example.com. Remedy: set PRESSWORK_KEY" in told.output
    assert "Did you mean 'submit'?" in presswork("sumbit").output
    (tmp_path / "rows.csv").write_text("a\n1\n")
    assert presswork("submit", tmp_path / "rows.csv").exit_code == 2


def test_a_wrong_option_is_named_as_the_option(installed: tuple[Sent, str]) -> None:
    told = presswork("campaign", "check", "-", "--template", "a {objekt}", "--file", "a/b", stdin=table())
    assert told.exit_code == 1
    assert "--file: a file name is no path" in told.output
    assert "column objekt" in told.output


def test_a_contact_sheet_shows_every_row_and_needs_nothing_from_outside(
    installed: tuple[Sent, str], tmp_path: Path
) -> None:
    sent, _ = installed
    for ending in ("html", "pdf", "png"):
        told = presswork("campaign", "sheet", sent.id, "-o", tmp_path / f"sheet.{ending}")
        assert told.exit_code == 0, told.output
        assert "5 files on" in told.output
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert page.count("<figure") == 5
    assert "worker_lost" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.size == (1754, 1240)


def test_a_pilot_is_sent_shown_and_decided_about(
    installed: tuple[Sent, str], api: ApiTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSWORK_KEY", a_person(api).headers["Authorization"].removeprefix("Bearer "))
    options = ("--template", "a {object}", "--pilot", "2", "--pilot-by", "object")
    assert presswork("campaign", "submit", "-", *options, stdin=table()).exit_code == 1  # three objects in two images
    told = presswork("campaign", "submit", "-", *options[:3], "3", *options[4:], stdin=table())
    assert "pilot: 4 images are made first. Accepted with 1 rejected: At most 86.5 %" in told.output
    request_id = told.output.partition("request ")[2].partition(":")[0]
    assert f"next: presswork campaign pilot {request_id} -o pilot.html" in told.output
    make_sample(api)
    shown = presswork("campaign", "pilot", request_id, "-o", tmp_path / "pilot.html")
    digest = shown.output.partition("digest: ")[2].partition("\n")[0]
    assert f"next: presswork campaign accept {request_id} --digest {digest}" in shown.output
    page = (tmp_path / "pilot.html").read_text("utf-8")
    assert page.count("<figure") == 4
    assert digest in page
    assert "with 95 % confidence" in page
    sampled = next(item.row for item in api.items() if item.request_id == request_id and item.sample)
    for wrong in ("9", f"{sampled}:1", "x"):
        refused = presswork("campaign", "accept", request_id, "--digest", digest, "--rejected", wrong)
        assert (refused.exit_code, "is no image of the sample" in refused.output) == (2, True)
    told = presswork("campaign", "accept", request_id, "--digest", digest, "--rejected", str(sampled))
    assert told.output == (
        "accepted: 1 of 3 images are bad. At most 86.5 % of the images are bad, with 95 % confidence.\n"
        f"request {request_id}: running\n"
    )
    again = presswork("campaign", "reject", request_id, "--digest", digest)
    assert again.exit_code == 1
    assert "was accepted with the key 'ann'" in again.output


def test_a_sheet_goes_on_in_further_pages_and_escapes_what_it_shows() -> None:
    tile = Tile(1, "<b>x", 0, "web", "released", "", "<i>.png", "1 x 1", Image.new("RGB", (8, 8)))
    shown = [replace(tile, row=n) for n in range(A_PAGE + 1)]
    first, second = pages(shown, "<title>", "all {{rows}}", ["a.html", "b.html"])
    assert (page_count(shown), first.count("<figure"), second.count("<figure")) == (2, A_PAGE, 1)
    assert '<a href="b.html">2</a>' in first
    assert "<b>x" not in first.replace("<b>&lt;b&gt;x", "")
    assert "<i>.png" not in first
    assert first.count("&lt;title&gt;") == 2, "in the head and in the heading"
    assert "all {{rows}}</p>" in first, "braces of a text are no place"
    assert first.count("{{") == 1
