"""`presswork models approve`, `retire` and `audit`: decisions of an operator, and what an auditor finds missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.commands.models.group import models
from tests.support.line import Line


@pytest.fixture
def ask(line: Line, monkeypatch: pytest.MonkeyPatch):
    url = line.worker.url.render_as_string(hide_password=False)
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", url)

    def asked(*arguments: str) -> Result:
        return CliRunner().invoke(models, list(arguments))

    return asked


def test_an_operator_approves_retires_and_an_audit_shows_who_did(line: Line, ask) -> None:
    line.add_tenant("acme")
    undecided = ask("audit", "--json")
    assert undecided.exit_code == 1
    assert "nobody approved studio" in json.loads(undecided.stdout)["findings"][0]

    approved = ask("approve", "studio", "--by", "Alice", "--tenant", "acme", "--expires", "2999-12-31")
    assert approved.exit_code == 0, approved.output
    assert "approved for acme, until 2999-12-31" in approved.output
    audited = ask("audit", "--json")
    row = json.loads(audited.stdout)
    assert (audited.exit_code, row["state"], row["decided_by"], row["tenants"]) == (0, "approved", "Alice", ["acme"])

    retired = ask("retire", "studio", "--by", "Bob", "--reason", "the licence ended")
    assert retired.exit_code == 0, retired.output
    audited = ask("audit")
    assert audited.exit_code == 1
    assert "studio was retired: the licence ended" in audited.output
    kinds = [event.kind for event in line.events() if event.kind.startswith("model.")]
    assert kinds == ["model.approved", "model.retired"]
    assert "Alice" not in str([event.event for event in line.events()])


def test_a_tenant_or_a_model_that_is_not_there_is_named_and_nothing_is_decided(line: Line, ask, tmp_path: Path) -> None:
    nobody = ask("approve", "studio", "--by", "Alice", "--tenant", "amce")
    assert nobody.exit_code == 2
    assert "there is no tenant amce" in nobody.output
    assert "there is no model 'nope'" in ask("retire", "nope", "--by", "Alice", "--reason", "x").output
    assert not [event for event in line.events() if event.kind.startswith("model.")]
