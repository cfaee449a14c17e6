"""Approvals of rule sets: nothing is submitted under a text that too few different people approved."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.exc import DBAPIError

from deploy.cli import main
from policy.errors import RulesNotApproved
from policy.rules import Rules
from tests.support.client import ApiServer, campaign
from tests.support.reviews import SHA256, Reviewing
from tests.support.rule_files import DEFAULT_RULES
from workers.identification.loop import make_context
from workers.jobs.rulesets.approvals import RulesApproval, approve, approvers
from workers.jobs.rulesets.tables import policy_approvals

VERSION = Rules.load(DEFAULT_RULES).version


def _approve(server: ApiServer, person: str, version: str = VERSION) -> int:
    with server.database.engine("clerk").begin() as conn:
        return approve(conn, RulesApproval(version, "house", person, "read it"), actor="presswork policy")


def test_a_rule_set_is_used_once_two_different_people_approved_its_text(own_api: ApiServer) -> None:
    client = own_api.caller("acme", rules_approvals=2)
    assert _approve(own_api, "Ada Lovelace") == 1
    assert _approve(own_api, " ADA  lovelace") == 1  # the same person
    assert _approve(own_api, "Ben", "sha256:" + "0" * 64) == 1  # another text
    refused = campaign(client)
    assert refused.status_code == 503
    assert refused.json()["code"] == "policy_unavailable"
    assert "has 1 of the 2 approvals" in refused.json()["detail"]
    (held,) = Reviewing(own_api.line).hold("brands")
    decision = {"decision": "release", "comment": "fine", "sha256": SHA256}
    assert client.post(f"/v1/reviews/{held}", json=decision).status_code == 503  # who may release is for rules, too
    assert _approve(own_api, "Ben") == 2
    assert campaign(client).status_code == 202  # without a restart
    approved = [event for event in own_api.line.events() if event.kind == "policy.approved"]
    assert len(approved) == 3
    assert "Ada" not in str([event.event for event in approved])


def test_the_process_that_screens_inputs_needs_the_approvals_too(own_api: ApiServer) -> None:
    context = make_context(own_api.settings_for("identify", rules_approvals=1))
    with pytest.raises(RulesNotApproved, match="0 of the 1"):
        context.intake.screen()
    _approve(own_api, "Ada")
    assert context.intake.screen() is not None


@pytest.mark.parametrize(
    ("role", "refused"), [("worker", "permission denied"), ("api", "permission denied"), ("clerk", "has no event")]
)
def test_no_login_writes_an_approval_without_its_event(own_api: ApiServer, role: str, refused: str) -> None:
    _approve(own_api, "Ada")  # an event of another transaction does not count
    engine = own_api.database.engine(role)
    row = {"policy_version": VERSION, "person": "mallory", "reason": ""}
    with pytest.raises(DBAPIError, match=refused), engine.begin() as conn:
        conn.execute(policy_approvals.insert().values(row))
    with own_api.line.auditor.connect() as conn:
        assert approvers(conn, VERSION) == ["ada"]


def test_of_one_person_twice_at_once_one_approval_counts(own_api: ApiServer) -> None:
    at_once = [threading.Thread(target=_approve, args=(own_api, "Ada")) for _ in range(4)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    assert [event.kind for event in own_api.line.events()].count("policy.approved") == 1


def test_the_command_says_how_many_people_approved_and_refuses_nobody(tmp_path: Path) -> None:
    runner = CliRunner()
    nobody = runner.invoke(main, ["policy", "approve", "--by", "  ", "--data", str(tmp_path)])
    assert nobody.exit_code == 2
    assert "write a name" in nobody.output
    broken = tmp_path / "rules.yaml"
    broken.write_text("name: x\nnonsense: 1\n")
    assert runner.invoke(main, ["policy", "approve", "--by", "Ada", "--rules", str(broken)]).exit_code == 2
