"""`presswork policy`: what people see of the rules on a terminal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deploy.commands.policy.group import policy
from policy.rules import Rules
from policy.verdict import Verdict
from tests.support.rule_files import DEFAULT_RULES, written

STARTER = Path(__file__).parents[1] / "policy" / "images" / "nsfw_reference" / "starter.png"


def _run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(policy, words, input=typed, env={"PRESSWORK_POLICY_RULES": str(DEFAULT_RULES)})


@pytest.mark.parametrize(
    ("words", "typed", "exit_code", "said"),
    [
        (("check", "a red car"), "", 0, "prompt: allow"),
        (("check", "a nude woman"), "", 1, "hold    sexual/nudity"),
        (("check", "hardcore porn"), "", 1, "refuse  sexual/explicit"),
        (("check", "-"), "a nude woman", 1, "prompt: hold"),
        (("check", "--negative", "nsfw, blurry"), "", 0, "prompt: allow"),
        (("check", "--variants", "N.u.d.3 wоman"), "", 1, "read as (plain): n u d 3 woman"),  # noqa: RUF001
        (("check", "mail jane@example.org"), "", 1, "hold    personal/contact: prompt holds personal data: email at"),
    ],
)
def test_a_prompt_can_be_checked(words: tuple[str, ...], typed: str, exit_code: int, said: str) -> None:
    result = _run(*words, typed=typed)
    assert result.exit_code == exit_code
    assert said in result.output


@pytest.mark.slow
def test_what_a_prompt_means_can_be_asked_as_the_worker_does() -> None:
    """It has no listed word: words allow it, and the scorer of meaning holds it."""
    prompt = "a dancer takes everything off on a pole while men watch"
    assert _run("check", prompt).exit_code == 0
    asked = _run("check", "--meaning", prompt)
    assert asked.exit_code == 1
    assert "hold    sexual/meaning: minilm says" in asked.output


def test_a_verdict_can_be_had_as_the_ledger_keeps_it() -> None:
    result = _run("check", "--json", "a nude woman")
    verdict = Verdict.from_json(json.loads(result.output))
    assert verdict.policy_version == Rules.load(DEFAULT_RULES).version
    assert [finding.rule for finding in verdict.findings] == ["sexual/nudity"]


def test_pictures_can_be_checked(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "black.png")
    assert _run("check-image", str(STARTER)).exit_code == 0
    result = _run("check-image", str(STARTER), str(tmp_path / "black.png"))
    assert result.exit_code == 1
    assert "starter.png: allow" in result.output
    assert "broken/blank" in result.output


def test_what_is_no_picture_is_named() -> None:
    result = _run("check-image", __file__)
    assert result.exit_code == 2
    assert (
        "test_policy_command.py: the file is no PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or JPEG 2000 picture"
        in result.output
    )


def test_a_hash_list_is_made_from_pictures_and_catches_their_copies(tmp_path: Path) -> None:
    forbidden = Image.open(STARTER).crop((0, 0, 512, 256))
    forbidden.save(tmp_path / "logo.png")
    forbidden.resize((300, 150)).save(tmp_path / "copy.jpg", quality=60)
    made = _run("hash", str(tmp_path / "logo.png"), "--category", "logos")
    assert made.exit_code == 0
    assert made.output.endswith(" logos logo.png\n")
    (tmp_path / "list.txt").write_text(made.output)
    digest = hashlib.sha256((tmp_path / "list.txt").read_bytes()).hexdigest()
    part = {"kind": "hash-list", "name": "forbidden", "file": "list.txt", "sha256": digest}
    rule = {"id": "sexual/known", "classifier": "forbidden", "scores": ["logos"], "refuse": 0.76}
    rules = written(tmp_path, image={"classifiers": [part], "rules": [rule]})
    caught = _run("check-image", "--rules", str(rules), str(tmp_path / "copy.jpg"))
    assert caught.exit_code == 1
    assert "refuse  sexual/known: forbidden says logos" in caught.output
    shown = _run("show", "--rules", str(rules)).output
    assert digest[:16] in shown
    assert "hash-list" in shown


def test_a_plain_picture_or_a_strange_category_makes_no_line(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    assert "is below" in _run("hash", str(tmp_path / "white.png"), "--category", "logos").output
    assert "'Big Logos' is no category" in _run("hash", str(STARTER), "--category", "Big Logos").output


def test_the_rules_can_be_read_and_a_broken_file_names_its_mistake(tmp_path: Path) -> None:
    result = _run("show")
    assert result.exit_code == 0
    assert Rules.load(DEFAULT_RULES).version in result.output
    assert "minors/sexualised" in result.output
    assert "violence/meaning" in result.output
    broken = _run("show", "--rules", str(written(tmp_path, colour=1)))
    assert broken.exit_code == 2
    assert "line 25: colour: no such key here" in broken.output
