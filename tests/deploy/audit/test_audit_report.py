"""`presswork audit report`: what stands in a report about an asset, a campaign and a period, as HTML and as PDF."""

from __future__ import annotations

import html
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from deploy.cli import main
from deploy.commands.audit.report.pdf import as_pdf
from policy import events
from policy.events import Private
from policy.ledger.reading.report import Report, Section
from policy.ledger.reading.report_html import as_html
from tests.policy.ledger.test_questions import ACCEPTED, FINDING, POLICY, judged, recipe, released
from tests.support.ledger import Ledger, refused

PEOPLES, NOBODYS = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    review = events.ItemReviewed(
        "r1", "i1", "k1", "ann", "release", True, "d" * 64, Private("our <b>own</b> brand"), POLICY, (FINDING,)
    )
    ledger.append(replace(ACCEPTED, name=Private("spring")), judged(refused(9), request_id="r1", recipe=recipe()))
    ledger.append(review)
    ledger.append(released(1, asset_id=PEOPLES), released(2, asset_id=NOBODYS))
    ledger.append(events.AssetRecalled("c1", "r1", "i2", NOBODYS, "policy", ("c" * 64,)))
    ledger.seal()
    return ledger


@pytest.fixture
def call(database, tmp_path):
    def call(*words, file="report.html"):
        path = tmp_path / file
        answer = CliRunner().invoke(
            main, ["audit", "report", *words, "-o", str(path)], env={"PRESSWORK_DATABASE_URL": database.url("auditor")}
        )
        return answer, path

    return call


def test_a_report_on_an_asset_says_who_released_it_and_how_to_check(ledger, call):
    answer, path = call("--asset", PEOPLES)
    assert answer.exit_code == 0, answer.output
    told = path.read_text("utf-8")
    assert f"Released by ann, who reviewed it after it was held under rule set {POLICY}." in html.unescape(told)
    assert "our &lt;b&gt;own&lt;/b&gt; brand" in told, "what the ledger holds is no markup"
    assert "It was not recalled." in told
    assert f"presswork audit prove --asset {PEOPLES}" in told
    nobodys = call("--asset", NOBODYS)[1].read_text("utf-8")
    assert "Released automatically under rule set" in nobodys
    assert "It was recalled at" in nobodys


def test_a_report_on_a_campaign_counts_what_nobody_looked_at(ledger, call):
    told = call("--campaign", "spring")[1].read_text("utf-8")
    for said in (
        "2 items were released.",
        "1 items were refused.",
        "1 were released automatically: rule sets let them pass, and no person looked at them.",
        "1 were released by a person",
        "weapons/threat: 1 items",
    ):
        assert said in told
    assert "Nothing was settled." in call("--campaign", "autumn")[1].read_text("utf-8")
    assert "2 items were released." in call("--from", "2020-01-01", "--tenant", "acme")[1].read_text("utf-8")


def test_the_same_report_as_pdf(ledger, call):
    answer, path = call("--asset", PEOPLES, file="report.pdf")
    assert answer.exit_code == 0, answer.output
    assert path.read_bytes().startswith(b"%PDF-")


def test_without_the_library_a_pdf_names_the_remedy(ledger, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "reportlab.lib.pagesizes", None)
    answer, path = call("--asset", PEOPLES, file="report.pdf")
    assert (answer.exit_code, "pip install 'presswork[report]'" in answer.output) == (1, True)
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "file", "said", "code"),
    [
        (("--asset", PEOPLES), "report.txt", "ends in .html or .pdf", 2),
        ((), "report.html", "give --asset, --campaign, --from or --to", 2),
        (("--asset", PEOPLES, "--campaign", "x"), "report.html", "give --asset alone", 2),
        (("--asset", "00000000-0000-7000-8000-00000000000f"), "report.html", "no released asset", 1),
    ],
)
def test_what_cannot_be_reported_is_said(ledger, call, words, file, said, code):
    answer, path = call(*words, file=file)
    assert (answer.exit_code, said in answer.output) == (code, True), answer.output
    assert not path.exists()


def test_hostile_cells_neither_break_a_page_nor_run() -> None:
    cells = ("<script>alert(1)</script>", "x" * 300, "\u202eنص &amp; 中文", "")
    report = Report(
        "<T>", datetime(2026, 11, 30, tzinfo=UTC), (Section("H", ("&",), ("a", "b", "c", "d"), (cells,) * 90),)
    )
    written = as_html(report).decode()
    assert "<script" not in written
    assert written.count("<tr>") == 91
    assert as_pdf(report).count(b"/Type /Page\n") + as_pdf(report).count(b"/Type /Page ") >= 2
