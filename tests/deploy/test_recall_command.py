"""`presswork recall`: the operator looks and orders across tenants, as the clerk's database role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from policy.events import ModelRegistered
from policy.ledger.append import append
from tests.support.line import RECIPE, Line
from tests.support.recalls import Recalling
from workers.jobs.types import new_id


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Recalling:
    """The environment describes the clerk's login, as on an installation."""
    for name, value in settings_for("clerk").to_environment().items():
        monkeypatch.setenv(name, value)
    return Recalling(line, settings_for, s3)


def recall(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["recall", *arguments], input=answer)


def test_an_operator_looks_orders_and_follows_across_tenants(recalling: Recalling) -> None:
    recalling.release(2, name="spring")
    recalling.release(1, tenant="bolt", name="autumn")
    looked = recall("preview", "--model", "studio")
    assert looked.exit_code == 0, looked.output
    for words in ("3 released assets would be recalled", "spring", "autumn", "acme", "bolt", "example: "):
        assert words in looked.output
    assert recalling.line.events("recall.ordered") == []
    seen = json.loads(recall("preview", "--revision", RECIPE.model_revision, "--tenant", "bolt", "--json").output)
    assert (seen["released"], [group["assets"] for group in seen["by_tenant"]]) == (1, [1])

    arguments = ("order", "--model", "studio", "--reason-code", "rights", "--reason", "a letter", "--by", "dana")
    ordered = recall(*arguments, "--expect", "3", "--yes")
    assert ordered.exit_code == 0, ordered.output
    assert {"acme: 2 released assets", "bolt: 1 released asset"} <= {
        line.partition("  ")[2] for line in ordered.output.splitlines()
    }
    told = recalling.line.events("recall.ordered")
    assert {(event.tenant, event.actor, event.event["assets"]) for event in told} == {
        ("acme", "operator:dana", 2),
        ("bolt", "operator:dana", 1),
    }
    recalling.carry_out()
    assert set(recalling.states().values()) == {"recalled"}
    listed = [json.loads(line) for line in recall("list", "--json").output.splitlines()]
    assert {(one["tenant"], one["moved"]) for one in listed} == {("acme", 2), ("bolt", 1)}
    assert "finished" in recall("list").output
    shown = recall("show", listed[0]["id"], "--json")
    assert (json.loads(shown.output)["state"], json.loads(shown.output)["matching_now"]) == ("finished", 0)
    assert "a letter" in recall("show", listed[0]["id"]).output


def test_without_yes_it_shows_and_asks_and_takes_no_for_an_answer(recalling: Recalling) -> None:
    recalling.release(1, stored=False)
    arguments = ("order", "--model", "studio", "--reason-code", "rights")
    asked = recall(*arguments, answer="n\n")
    assert (asked.exit_code, "recall 1 released asset?" in asked.output) == (1, True)
    assert recalling.line.events("recall.ordered") == []
    assert recall(*arguments, answer="y\n").exit_code == 0
    assert len(recalling.line.events("recall.ordered")) == 1


def test_another_number_than_expected_orders_for_no_tenant(recalling: Recalling) -> None:
    recalling.release(1, stored=False)
    recalling.release(1, tenant="bolt", stored=False)
    told = recall("order", "--model", "studio", "--reason-code", "rights", "--yes", "--expect", "1")
    assert (told.exit_code, "2 released assets match now, not 1" in told.output) == (1, True)
    assert recalling.line.events("recall.ordered") == []


def test_mistakes_are_told_and_nothing_is_ordered(recalling: Recalling) -> None:
    recalling.release(1, stored=False)
    order = ("order", "--reason-code", "rights", "--yes")
    for arguments, code, words in (
        (order, 2, "name at least one criterion"),
        (("preview", "--tenant", "acme"), 2, "name at least one criterion"),
        ((*order, "--licence", "GPL"), 2, "the installed models have Apache-2.0"),
        ((*order, "--from", "2026-11-02", "--to", "2026-11-01"), 2, "--to must be after --from"),
        ((*order, "--from", "yesterday"), 2, "Invalid value"),
        ((*order, "--asset", "1"), 2, "Invalid value"),
        ((*order, "--asset", new_id()), 1, "Nothing was ordered"),
        (("order", "--model", "studio", "--yes"), 2, "--reason-code"),
        (("show", new_id()), 1, "no recall"),
    ):
        told = recall(*arguments)
        assert (told.exit_code, words in told.output) == (code, True), told.output
    assert recalling.line.events("recall.ordered") == []


def test_a_licence_finds_the_models_that_were_ever_registered_under_it(recalling: Recalling) -> None:
    """The model is no longer at hand; the ledger remembers its licence."""

    recalling.release(1, stored=False)
    registered = ModelRegistered("gone", RECIPE.model_revision, "Research-Only", "0" * 64)
    with recalling.line.worker.begin() as conn:
        append(conn, tenant="presswork", actor="test", events=[registered])
    seen = recall("preview", "--licence", "Research-Only", "--json")
    assert json.loads(seen.output)["released"] == 1
