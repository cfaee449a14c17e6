"""Report on a rule set: what it counts, what it says on a terminal, and tables that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.commands.policy.group import policy
from policy.errors import RulesInvalid
from policy.prompts.cases import HELD_OUT, SHIPPED, WORKED_ON, Case, Table
from policy.prompts.evaluation import measure
from policy.prompts.meaning.screen import MeaningScreen
from policy.rules import Rules
from tests.support.rule_files import written

CASES = """\
schema: 1
name: mine
innocent:
  en: [a mug, nude art]
  de: [eine Tasse]
attack:
  sexual/nudity:
    - {en: a nude woman}
    - {de: nude Frau}
  minors:
    - {en: something unsaid}
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.yaml"
    path.write_text(CASES, "utf-8")
    return path


class _Suspicious:
    """Finds one text near and all others far."""

    name = "minilm"
    revision = "test"

    def __init__(self, rules: Rules) -> None:
        self.classes = rules.meaning.rules[0].scores

    def scores(self, texts: list[str]) -> np.ndarray:
        return np.array([[0.9 if "unsaid" in text or "Tasse" in text else 0.1] for text in texts])


def test_words_and_meaning_are_counted_side_by_side(tmp_path: Path, cases: Path) -> None:
    rule = {"id": "minors/meaning", "hold": 0.5, "examples": [f"example {n}" for n in range(5)]}
    rules = Rules.load(written(tmp_path, meaning={"ordinary": [f"mug {n}" for n in range(20)], "rules": [rule]}))
    words, both = measure(rules, Table.load(cases), MeaningScreen(rules, [_Suspicious(rules)]))
    assert (words.total.attacks, words.total.caught, words.total.innocent, words.total.stopped) == (3, 2, 3, 1)
    assert (both.total.caught, both.total.stopped, both.innocent_held, both.innocent_refused) == (3, 2, 2, 0)
    assert words.passed == (Case("something unsaid", "en", "minors"),)
    assert {case.text for case in both.wrongly} == {"nude art", "eine Tasse"}
    by_category = {line.name: line for line in both.by_category}
    assert (by_category["minors"].recall, by_category["minors"].precision) == (1.0, 0.5)
    assert (by_category["sexual"].recall, by_category["sexual"].precision) == (1.0, 2 / 3)
    by_language = {line.name: (line.attacks, line.caught, line.innocent, line.stopped) for line in both.by_language}
    assert by_language == {"en": (2, 2, 2, 1), "de": (1, 1, 1, 1)}


def test_the_command_prints_tables_or_json_and_lists_what_is_wrong(tmp_path: Path, cases: Path) -> None:
    rules = written(tmp_path)
    arguments = ["report", "--rules", str(rules), "--cases", str(cases)]
    shown = CliRunner().invoke(policy, [*arguments, "--list"])
    assert shown.exit_code == 0
    assert "words: caught 2/3 (0.67), innocent refused 0, innocent held 1" in shown.output
    assert "passed: [minors] 'something unsaid'" in shown.output
    assert "stopped, but innocent: [en] 'nude art'" in shown.output
    told = json.loads(CliRunner().invoke(policy, [*arguments, "--json"]).output)
    assert told["policy_version"] == Rules.load(rules).version
    assert [(one["table"], one["way"]) for one in told["tables"]] == [("mine", "words")]


def test_the_shipped_tables_are_apart_and_read() -> None:
    assert [Table.load(path).name for path in WORKED_ON] == ["cases", "paraphrases", "tricks", "catalogue", "world"]
    assert [Table.load(path).name for path in HELD_OUT] == [
        "held-out",
        "held-out-tricks",
        "held-out-catalogue",
        "held-out-world",
    ]
    assert (*WORKED_ON, *HELD_OUT) == SHIPPED


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  sexual/nudity:\n    - {english: x}", "attack.sexual/nudity.0.english"),
        ("  Sexual:\n    - {en: x}", "attack.Sexual"),
        ("  minors:\n    - {en: ''}", "at least 1 character"),
    ],
)
def test_a_table_with_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"schema: 1\nname: wrong\nattack:\n{line}\n", "utf-8")
    with pytest.raises(RulesInvalid, match=said) as refused:
        Table.load(path)
    assert str(refused.value).startswith(f"{path}, line ")
