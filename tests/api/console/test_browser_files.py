"""Files of the browser: pinned, whole, and read by nobody's evaluation."""

from __future__ import annotations

import re

import yaml

from api.console.browser_files import FOLDER, PINNED, address, browser_files
from api.console.wordings import LANGUAGES, wording
from tests.support.client import ApiTenant
from tests.support.repository import REPOSITORY, files, text


def test_the_scripts_of_others_are_the_ones_that_were_pinned() -> None:
    assert {name: browser_files()[name].digest for name in PINNED} == PINNED
    assert all(f"api/console/files/{name}" in text("NOTICE") for name in PINNED)


def test_no_template_and_no_script_of_ours_runs_text_or_writes_markup() -> None:
    """What the policy of content would stop in the browser does not stand in a file either."""
    ours = [path for path in FOLDER.iterdir() if path.suffix == ".js" and path.name not in PINNED]
    for path in (*ours, *(REPOSITORY / "api/console/templates").rglob("*.html")):
        written = re.sub(r'hx-swap="\w+"', "", path.read_text("utf-8"))
        found = re.findall(
            r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|eval\(|new Function|javascript:)|\son\w+=|\sstyle=|\| ?safe",
            written,
        )
        assert found == [], path.name


def test_every_language_has_every_text_and_no_other() -> None:
    names = {language: set(wording(language).texts) for language in LANGUAGES}
    assert names["de"] == names["en"]
    for language in LANGUAGES:
        written = text(f"api/console/wording/{language}.yaml")
        assert len(re.findall(r"^[\w.-]+:", written, re.MULTILINE)) == len(yaml.safe_load(written)), (
            "a name stands twice"
        )
    for name, english in wording("en").texts.items():
        places = re.findall(r"{(\w+)}", english)
        assert sorted(re.findall(r"{(\w+)}", wording("de").texts[name])) == sorted(places), name


def test_every_text_is_used_somewhere() -> None:
    used = "".join(
        text(path) for path in files() if path.startswith("api/console/") and path.endswith((".py", ".html", ".js"))
    )
    asked = (r"(?:t|words)\.(?:maybe|counted|group)\(\s*['\"]([\w.]+)", r"t\('([\w.]+)\.' [+~]")
    built = {prefix for pattern in asked for prefix in re.findall(pattern, used)}
    unused = {
        name
        for name in wording("en").texts
        if f"'{name}'" not in used
        and f'"{name}"' not in used
        and not any(name.startswith(f"{prefix}.") for prefix in built)
    }
    assert unused == set()


def test_a_file_is_kept_by_its_digest_and_an_old_digest_finds_nothing(api: ApiTenant) -> None:
    client = api.server.anonymous()
    found = client.get(address("console.css"))
    assert (found.status_code, found.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in found.headers["cache-control"]
    assert client.get(address("console.css").replace("/files/", "/files/0")).status_code == 404
    assert client.get("/console/files/x/..%2f..%2frooms.py").status_code == 404
