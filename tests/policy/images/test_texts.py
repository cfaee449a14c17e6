"""Writing on pictures: read by the real networks of the wheel, screened by the prompt rules, never passed unread."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont

from policy.errors import PolicyUnavailable, RulesInvalid
from policy.images import ocr, stack
from policy.images.blank import Blank
from policy.images.ocr import CARD, RapidReader
from policy.images.screen import UNAVAILABLE, ImageScreen
from policy.images.texts import MOST_LINES, TextLine
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.simulate import simulate
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.policy.test_simulate import settled
from tests.support.rule_files import DEFAULT_RULES, written

pytestmark = pytest.mark.slow

BLANK = {"id": "broken/blank", "classifier": "blank", "scores": ["blank"], "hold": 1.0}


@pytest.fixture(scope="module")
def reader() -> RapidReader:
    return RapidReader.load()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """The shipped rules with `image.text` on, and ACME allowed a brand."""
    content = yaml.safe_load(DEFAULT_RULES.read_text())
    content["image"]["text"] = {"categories": ["brands", "hate", "sexual"]}
    content["exceptions"] = [{"tenant": "acme", "rules": ["brands/names"], "reason": "its own brand"}]
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return Rules.load(path)


@pytest.fixture(scope="module")
def screen(shipped: Rules) -> ImageScreen:
    return ImageScreen.load(shipped)


def written_on(*lines: str, side: int = 384, size: int = 34) -> np.ndarray:
    """A mug-like thing with writing on it."""
    image = Image.new("RGB", (side, side), (214, 206, 190))
    draw = ImageDraw.Draw(image)
    draw.ellipse((side // 5, side // 4, 4 * side // 5, side - 8), fill=(230, 140, 90))
    font = ImageFont.load_default(size=size)
    for number, text in enumerate(lines):
        draw.text((side // 10, side // 3 + 1.5 * size * number), text, font=font, fill=(16, 16, 40))
    return np.asarray(image)


@pytest.mark.parametrize(
    ("lines", "decision", "rule"),
    [
        (("NIKE",), "hold", "brands/names"),
        (("coca", "cola"), "hold", "brands/names"),  # over two lines
        (("heil hitler",), "refuse", "hate/"),
        (("Fresh coffee",), "allow", None),
        (("Summer sale", "50 % off"), "allow", None),
        ((), "allow", None),
    ],
)
def test_writing_on_a_picture_is_screened_as_a_prompt_is(
    screen: ImageScreen, lines: tuple[str, ...], decision: str, rule: str | None
) -> None:
    (verdict,) = screen.screen(written_on(*lines)[None])
    assert verdict.decision == decision, verdict
    assert verdict.scores["text/read"] > 0.8 or not lines
    if rule:
        assert any(found.rule.startswith(rule) for found in verdict.findings)
        assert {found.stage for found in verdict.findings} == {Stage.IMAGE}
        assert not any(line.lower() in str(verdict.to_json()).lower() for line in lines if len(line) > 4)


def test_a_tenant_may_have_its_own_brand_on_its_pictures(screen: ImageScreen) -> None:
    pictures = np.stack([written_on("NIKE"), written_on("NIKE")])
    verdicts = screen.screen(pictures, [Context("acme"), Context("other")])
    assert [verdict.decision for verdict in verdicts] == ["allow", "hold"]


def test_large_and_small_pictures_are_read(reader: RapidReader) -> None:
    for side, size in ((128, 16), (384, 34), (1500, 90)):
        (lines,) = reader.read(written_on("Adidas", side=side, size=size)[None])
        assert "Adidas" in [line.text for line in lines]


def test_reading_reaches_for_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object) -> None:
        raise AssertionError("the weights are in the wheel")

    monkeypatch.setattr(socket.socket, "connect", nowhere)
    (lines,) = RapidReader.load().read(written_on("Prada")[None])
    assert "Prada" in [line.text for line in lines]


def test_nothing_is_read_unless_a_rule_set_wants_it() -> None:
    classifiers, read_by = stack.load(Rules.load(DEFAULT_RULES), threads=1)
    assert read_by is None
    assert "text" not in {classifier.name for classifier in classifiers}


def test_only_the_listed_categories_count(tmp_path: Path) -> None:
    content = yaml.safe_load(DEFAULT_RULES.read_text())
    content["image"]["text"] = {"categories": ["hate"]}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    rules = Rules.load(path)
    stand_in = ImageScreen(rules, stack.load(rules, threads=1)[0], Told([TextLine("a nike shoe", 0.9)]))
    assert all(verdict.allowed for verdict in stand_in.screen(written_on()[None]))


def test_a_category_that_nobody_described_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(RulesInvalid, match=r"line \d+.*no category is called 'brand'"):
        Rules.load(written(tmp_path, image={"rules": [BLANK], "text": {"categories": ["brand"]}}))


class Told:
    """A reader that reads what it is told, on every picture."""

    revision = "1"

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def read(self, images: np.ndarray) -> list[list[TextLine]]:
        if isinstance(self._answer, Callable):  # type: ignore[arg-type]
            return self._answer(images)  # type: ignore[no-any-return,operator]
        return [self._answer] * len(images)  # type: ignore[list-item]


def _screened(tmp_path: Path, answer: object, seconds: float = 30) -> Verdict:
    path = written(tmp_path, image={"rules": [BLANK], "text": {"categories": ["sexual"]}})
    (verdict,) = ImageScreen(Rules.load(path), [Blank()], Told(answer), seconds=seconds).screen(written_on("x")[None])
    return verdict


def _raises(images: np.ndarray) -> Any:
    raise RuntimeError("the text read was: secret")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_raises, "raised RuntimeError"),
        (lambda images: None, "answered NoneType"),
        (lambda images: [], "answered list"),
        (lambda images: [[]] * 2, "answered list"),
        (lambda images: [["nude"]], "answered list"),
        (lambda images: [None], "answered list"),
        ([TextLine("word", 0.9)] * (MOST_LINES + 1), "at most 200 are screened"),
    ],
)
def test_a_reader_that_goes_wrong_holds_every_picture(tmp_path: Path, answer: object, said: str) -> None:
    verdict = _screened(tmp_path, answer)
    assert [finding.rule for finding in verdict.findings] == [UNAVAILABLE]
    assert said in verdict.findings[0].detail
    assert "secret" not in verdict.findings[0].detail
    assert "blank/blank" in verdict.scores  # what the others said is kept
    assert "text/read" not in verdict.scores


def test_writing_longer_than_a_prompt_may_be_is_screened_to_its_end(tmp_path: Path) -> None:
    """max_chars of the test rules is 1,000."""
    lines = [TextLine("innocent words " * 20, 0.9)] * 9 + [TextLine("nude", 0.9)]
    assert _screened(tmp_path, lines).decision is Decision.HOLD
    assert _screened(tmp_path, lines[:-1]).allowed
    assert not _screened(
        tmp_path, [*lines[:-1], TextLine("nud", 0.9), TextLine("e", 0.9)]
    ).allowed  # a word over two lines
    assert _screened(tmp_path, [*lines[:-1], TextLine("nu", 0.9), TextLine("de", 0.9)]).allowed


def test_a_rule_set_that_wants_writing_read_needs_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Rules.load(written(tmp_path, image={"rules": [BLANK], "text": {"categories": ["sexual"]}}))
    with pytest.raises(PolicyUnavailable, match="nothing reads it"):
        ImageScreen(rules, [Blank()])
    monkeypatch.setattr(ocr, "find_spec", lambda name: None)
    with pytest.raises(PolicyUnavailable, match=r"rapidocr is not installed: install presswork\[ocr\]"):
        ImageScreen.load(rules)


def test_weights_that_are_missing_or_changed_stop_the_start(tmp_path: Path) -> None:
    card = yaml.safe_load(CARD.read_text())
    installed = Path(ocr.find_spec("rapidocr").origin).parent  # type: ignore[union-attr,arg-type]
    (tmp_path / "models").mkdir()
    with pytest.raises(PolicyUnavailable, match="no weights there"):
        RapidReader.load(home=tmp_path)
    for part in ("detection", "recognition"):
        shutil.copy(installed / card[part]["path"], tmp_path / card[part]["path"])
    with (tmp_path / card["recognition"]["path"]).open("r+b") as weights:
        weights.seek(10_000)
        weights.write(b"\x00\x01\x02")
    with pytest.raises(PolicyUnavailable, match=r"text.yaml records .* install the recorded version"):
        RapidReader.load(home=tmp_path)


@pytest.mark.parametrize(
    ("categories", "decision", "expected"),
    [(["sexual"], "hold", "hold"), (["sexual"], "refuse", "refuse"), (["minors"], "hold", "allow")],
)
def test_history_is_judged_again_by_what_was_found_in_the_writing(
    tmp_path: Path, categories: list[str], decision: str, expected: str
) -> None:
    """The writing itself is kept nowhere, so the finding stands in for it."""
    rule = {"id": "sexual/nudity", "decision": decision, "terms": {"en": ["nude"]}}
    candidate = Rules.load(written(tmp_path, rule=rule, image={"rules": [BLANK], "text": {"categories": categories}}))
    was = Finding(Decision.HOLD, Stage.IMAGE, "sexual", "sexual/nudity", detail="the writing on the picture holds ...")
    item = settled("a mug", was, scores=[("blank/blank", 0.1)])
    assert simulate(candidate, [item]).table["hold"][expected] == 1
