"""`presswork privacy` on a real database, with the clerk's login."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from tests.support.privacy import SECRET, TENANT, Privacy
from workers.jobs.privacy.retention import CLASSES


@pytest.fixture
def privacy(line, database, settings_for, s3) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def presswork(privacy: Privacy, *words: str, role: str = "clerk", status: int = 0, **settings: object) -> Result:
    environment = privacy.settings_for(role, **settings).to_environment()
    ran = CliRunner().invoke(main, ["privacy", *words], env=environment)
    assert ran.exit_code == status, ran.output
    return ran


def test_a_preview_names_what_an_order_would_erase_and_erases_nothing(privacy: Privacy):
    item = privacy.refused()[0]
    said = presswork(privacy, "preview", "text", "Jane Roe", "--tenant", TENANT).output
    assert said.startswith("1 item, 0 requests, 0 stored replies, 0 reasons, images of 0 items\n")
    assert f"item     {item}" in said
    counted = json.loads(presswork(privacy, "preview", "item", item, "--tenant", TENANT, "--json").output)
    assert (counted["items"], counted["ledger_texts"], counted["item_ids"]) == (1, 2, [item])
    assert SECRET in privacy.line.item(item).prompt


def test_an_order_is_confirmed_carried_out_and_listed(privacy: Privacy):
    item = privacy.refused()[0]
    declined = CliRunner().invoke(
        main, ["privacy", "erase", "item", item, "--tenant", TENANT], input="n\n",
        env=privacy.settings_for("clerk").to_environment(),
    )  # fmt: skip
    assert declined.exit_code == 1
    assert presswork(privacy, "list").output == "no erasure orders\n"
    presswork(privacy, "erase", "item", item, "--tenant", TENANT, "--yes")
    privacy.work()
    said = presswork(privacy, "list", "--tenant", TENANT).output
    assert f"item {item} by presswork privacy: erased 1 items, 2 texts" in said
    assert "finished" in said
    assert presswork(privacy, "list", "--open").output == "no erasure orders\n"
    assert privacy.line.item(item).prompt == ""


def test_a_hold_is_placed_named_in_a_refusal_and_lifted(privacy: Privacy):
    item = privacy.refused()[0]
    hold = presswork(privacy, "hold", "place", "--tenant", TENANT, "--item", item, "--reason", "claim").output.strip()
    assert (
        f"{hold} {TENANT}: item {item}; active; placed by presswork privacy: claim"
        in presswork(privacy, "hold", "list").output
    )
    refused = presswork(privacy, "erase", "item", item, "--tenant", TENANT, "--yes", status=1).output
    assert f"legal hold {hold} covers part of it" in refused
    for said in ("lifted", "the hold was lifted before"):
        assert presswork(privacy, "hold", "lift", hold, "--tenant", TENANT).output.strip() == said
    assert presswork(privacy, "hold", "list").output == "no legal holds\n"
    assert hold in presswork(privacy, "hold", "list", "--all").output


def test_the_periods_are_shown_with_what_is_due(privacy: Privacy):
    privacy.refused(images=2)
    privacy.age(30)
    said = presswork(privacy, "retention", retention_prompt_days=29).output.splitlines()
    assert len(said) == len(CLASSES)
    assert said[0] == "prompt      prompts and negative prompts: kept 29 days after the item's settlement; 2 due now"
    assert said[1].endswith("kept forever")
    first = json.loads(presswork(privacy, "retention", "--json").output.splitlines()[0])
    assert (first["setting"], first["days"], first["due"]) == ("retention_prompt_days", 0, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("preview", "item", "nonsense", "--tenant", TENANT), "VALUE must be the id of the item"),
        (("preview", "text", "ab", "--tenant", TENANT), "must have 3 to 200 characters"),
        (("preview", "tenant", "acme", "--tenant", TENANT), "takes no VALUE"),
        (("preview", "person", "Jane", "--tenant", TENANT), "is not one of"),
        (
            ("hold", "place", "--tenant", TENANT, "--since", "2026-11-02", "--until", "2026-11-01", "--reason", "x"),
            "--until must be after --since",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(privacy: Privacy, words: tuple[str, ...], said: str):
    assert said in presswork(privacy, *words, status=2).output


def test_what_is_not_there_is_said(privacy: Privacy):
    unknown = "01a1fe00-0000-7000-8000-00000000000f"
    assert f"no request {unknown}" in presswork(
        privacy, "erase", "request", unknown, "--tenant", TENANT, "--yes", status=1
    ).output  # fmt: skip


def test_another_login_than_the_clerks_is_refused(privacy: Privacy):
    item = privacy.refused()[0]
    said = presswork(privacy, "erase", "item", item, "--tenant", TENANT, "--yes", role="worker", status=1).output
    assert "the database refused: permission denied" in said
    assert "Remedy: use the clerk's login" in said
