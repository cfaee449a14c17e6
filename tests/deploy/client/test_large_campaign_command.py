"""`presswork submit`, `check`, `watch`, `show` and `cancel` of a large campaign, which is checked in the background."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from tests.support.campaigns import Sent, table

DEAD = "api.edge.limits.background.Background.offer"  # a process that takes work and dies before it begins
ASKED = ("-", "--template", "a {object}")


def presswork(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=stdin)


@pytest.mark.usefixtures("installed")
def test_a_campaign_that_is_handed_over_is_shown_watched_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DEAD, lambda *_: False)
    accepted = presswork("submit", *ASKED, "--later", stdin=table())
    assert accepted.exit_code == 0, accepted.output
    id = re.findall(r"campaign ([0-9a-f-]{36}): accepted, and checked next", accepted.output)[0]
    assert f"next: presswork campaign watch {id}" in accepted.output
    assert f"campaign {id}: waiting, no row yet" in presswork("campaign", "show", id).output
    assert presswork("campaign", "cancel", id).output == "cancelled: 0 items\n"
    assert "cancelled before it was checked" in presswork("campaign", "show", id).output
    assert presswork("campaign", "watch", id).exit_code == 1


def test_who_waits_is_answered_as_for_a_small_file(installed: tuple[Sent, str], tmp_path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("check: later\n")
    checked = presswork("campaign", "check", *ASKED, "--spec", str(spec), stdin=table())
    assert "checked, nothing stored: 5 rows, 5 items" in checked.output
    sent = presswork("submit", *ASKED, "--spec", str(spec), "--json", stdin=table())
    reply = json.loads(sent.output)
    assert (reply["items"], reply["kind"]) == (5, "campaign")
    assert presswork("campaign", "cancel", reply["id"]).output == "cancelled: 5 items\n"
    wrong = presswork("submit", *ASKED, "--spec", str(spec), stdin="object\ncar\n#N/A\n")
    assert wrong.exit_code == 1
    assert "row 2 line 3 column object: the cell holds '#N/A'" in wrong.output
