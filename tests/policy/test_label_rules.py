"""Label part of a rule set: whose files for channels carry a visible label, and what its absence means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policy.errors import RulesInvalid
from policy.rulebook.labels import RULE
from policy.rulebook.scope import Context
from policy.rules import Rules
from tests.support.rule_files import written

_ACME, _OTHER = Context("acme", "spring", "studio"), Context("globex", "spring", "studio")


def test_without_a_section_nobody_asks_for_a_label(tmp_path: Path) -> None:
    assert Rules.load(written(tmp_path)).label.findings(_ACME, ["square"]) == ()


@pytest.mark.parametrize("absent", ["hold", "refuse"])
def test_an_absent_label_is_a_finding_where_the_scope_covers(tmp_path: Path, absent: str) -> None:
    label = Rules.load(written(tmp_path, label={"absent": absent, "scope": {"tenants": ["acme"]}})).label
    (finding,) = label.findings(_ACME, ["square", "portrait"])
    assert (finding.decision, finding.rule) == (absent, RULE)
    assert finding.detail == "no visible label is asked for in portrait, square"
    assert label.findings(_ACME, []) == ()
    assert label.findings(_OTHER, ["square"]) == ()


@pytest.mark.parametrize("wrong", [{"absent": "warn"}, {"absent": "hold", "scope": {}}, {"demand": True}])
def test_a_section_that_cannot_be_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(RulesInvalid):
        Rules.load(written(tmp_path, label=wrong))
