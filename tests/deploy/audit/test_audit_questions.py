"""`presswork audit asset`, `made-by`, `refused`, `counts`, as an auditor types them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from deploy.cli import main
from policy.events import Private
from tests.policy.ledger.test_questions import judged
from tests.policy.ledger.test_questions import released as made
from tests.support.ledger import Ledger, refused
from tests.support.line import POLICY, RECIPE, REFUSE, Line, new_item, released
from workers.jobs.settle import settle


@pytest.fixture
def call(database):
    def call(*words, role="auditor"):
        return CliRunner().invoke(main, ["audit", *words], env={"PRESSWORK_DATABASE_URL": database.url(role)})

    return call


@pytest.fixture
def asset_id(database):
    """Of the first of two pictures; a third item was refused by its prompt."""
    line = Line.on(database)
    wanted = [new_item(1), new_item(2), new_item(3, verdict=REFUSE)]
    held = line.claim(line.dispatch(line.submit("acme", 3, new_items=wanted)[:2]))
    outcomes = [released(held, item) for item in held.items]
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)
    return outcomes[0].asset_id


def test_an_asset_is_told_with_its_row_while_the_job_is_kept(call, asset_id):
    told = json.loads(call("asset", asset_id, "--json").stdout)
    assert (told["custom_id"], told["row"], told["prompt"]) == ("row-1", 1, "a red kettle number 1")
    assert (told["model_revision"], told["seed"], told["worker"]) == (RECIPE.model_revision, "1001", "worker-1")
    shown = call("asset", asset_id)
    assert shown.exit_code == 0
    for line in (
        f"asset id         {asset_id}",
        f"policy version   {POLICY}",
        f"model revision   {RECIPE.model_revision}",
    ):
        assert line in shown.output.splitlines()
    assert "recipe\n  task " in shown.output, "what a thing holds stands indented below it"


def test_an_asset_outlives_its_job(call, asset_id, database):
    with database.engine("superuser").begin() as conn:
        conn.exec_driver_sql("set session_replication_role = replica")
        for table in ("renditions", "assets", "items", "requests"):
            conn.exec_driver_sql(f"delete from {table}")
    told = json.loads(call("asset", asset_id, "--json").stdout)
    assert (told["prompt"], told["row"], told["variant"]) == ("a red kettle number 1", 1, 0)
    assert "custom_id" not in told


def test_what_a_model_or_a_revision_made(call, asset_id):
    rows = [json.loads(line) for line in call("made-by", "--model", "studio", "--json").stdout.splitlines()]
    assert [(row["outcome"], row["tenant"]) for row in rows] == [("released", "acme")] * 2
    assert rows[0]["asset_id"] == asset_id
    assert asset_id in call("made-by", "--revision", RECIPE.model_revision).output, "whole, in any terminal"
    assert call("made-by", "--model", "studio", "--lora", "ink").output == "none\n"


def test_what_a_policy_version_refused(call, asset_id):
    (row,) = [json.loads(line) for line in call("refused", "--policy", POLICY, "--json").stdout.splitlines()]
    assert (row["outcome"], row["rules"], row["prompt"]) == ("refused", ["list"], "a red kettle number 3")
    assert call("refused", "--policy", POLICY, "--tenant", "rival").output == "none\n"


def test_items_are_counted_by_what_is_asked_for(call, asset_id):
    rows = [
        json.loads(line) for line in call("counts", "--by", "tenant", "--by", "decision", "--json").stdout.splitlines()
    ]
    assert rows == [
        {"tenant": "acme", "decision": "refused", "items": 1},
        {"tenant": "acme", "decision": "released", "items": 2},
    ]
    assert "released" in call("counts", "--by", "decision").output
    every = call("counts").output.splitlines()
    assert every[0].split() == ["day", "tenant", "decision", "items"]
    assert [line.split()[1:] for line in every[1:]] == [["acme", "refused", "1"], ["acme", "released", "2"]]


def test_a_table_ends_where_a_person_stops_reading_and_says_so(call, database):
    Ledger(database).append(*(made(n) for n in range(205)))
    assert "and 5 more" in call("made-by", "--model", "studio").output
    assert len(call("made-by", "--model", "studio", "--json").stdout.splitlines()) == 205


def test_a_prompt_cannot_write_to_the_terminal(call, database):
    Ledger(database).append(judged(refused(1), POLICY, prompt=Private("a\x1b]0;b\x07c [red]d" + 20 * " e")))
    output = call("refused", "--policy", POLICY).output
    assert "\x1b" not in output
    assert "[red]" in output
    Ledger(database).append(judged(refused(2), POLICY, prompt=Private("a mug " * 20)))
    assert call("refused", "--policy", POLICY).output.endswith("a mug a mug…\n"), "prose is shortened"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("asset", "nothing"), "has no released asset nothing"),
        (("made-by",), "give --model, --revision or --lora"),
        (("made-by", "--revision", "sha256:12"), "64 hexadecimal digits"),
        (("refused", "--policy", "newest"), "64 hexadecimal digits"),
        (("counts", "--by", "hour"), "'hour' is not one of"),
    ],
)
def test_a_question_that_has_no_answer_says_why(call, words, said):
    result = call(*words)
    assert result.exit_code != 0
    assert said in result.output
