"""Image screening: the classifier equals nsfwjs itself, thresholds decide, and whatever fails holds the picture."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

from policy.errors import PolicyUnavailable
from policy.images.blank import Blank
from policy.images.nsfw import CARD, MID_CARD, Nsfw
from policy.images.screen import UNAVAILABLE, ImageScreen
from policy.rules import Rules
from policy.verdict import Decision, Verdict, merge
from tests.policy.images.nsfw_reference.pictures import pictures, starter_tiles
from tests.support.rule_files import DEFAULT_RULES, written

pytestmark = pytest.mark.slow

REFERENCES = Path(__file__).parent / "nsfw_reference"
REFERENCE = json.loads((REFERENCES / "scores.json").read_text())


@pytest.fixture(scope="module")
def nsfw() -> Nsfw:
    return Nsfw.load()


@pytest.fixture(scope="module")
def screen() -> ImageScreen:
    return ImageScreen.load(Rules.load(DEFAULT_RULES))


class Scripted:
    """A classifier named "test" with the score "bad" that answers as it is told."""

    name = "test"
    classes = ("bad",)
    revision = "1"

    def __init__(self, answer: Callable[[np.ndarray], object]) -> None:
        self._answer = answer
        self.calls = 0

    def scores(self, images: np.ndarray) -> np.ndarray:
        self.calls += 1
        return self._answer(images)  # type: ignore[return-value]


def _pictures(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 32, 32, 3), np.uint8)


def _screen(tmp_path: Path, answer: Callable[[np.ndarray], object], seconds: float = 30) -> ImageScreen:
    return ImageScreen(Rules.load(written(tmp_path)), [Scripted(answer)], seconds=seconds)


def _held_as_unavailable(verdict: Verdict) -> bool:
    return verdict.decision is Decision.HOLD and [f.rule for f in verdict.findings] == [UNAVAILABLE]


@pytest.mark.parametrize(("card", "recorded"), [(CARD, "scores.json"), (MID_CARD, "scores_mid.json")])
def test_our_onnx_files_score_as_nsfwjs_itself_does(card: Path, recorded: str) -> None:
    """The scores were recorded from npm nsfwjs 4.4.0 under node; reference.cjs beside them says how."""
    reference = json.loads((REFERENCES / recorded).read_text())
    nsfw = Nsfw.load(card)
    assert tuple(name.lower() for name in reference["classes"]) == nsfw.classes
    ours = nsfw.scores(pictures())
    assert np.abs(ours - np.array(reference["scores"])).max() < 1e-4
    assert ours.max(axis=0).min() > 0.0005  # the pictures reach every class


def test_a_batch_scores_as_its_pictures_do_alone(nsfw: Nsfw) -> None:
    batch = pictures()[:18]
    alone = np.concatenate([nsfw.scores(picture[None]) for picture in batch])
    assert np.abs(nsfw.scores(batch) - alone).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (7, 400), (224, 224), (1024, 1024), (300, 2000)])
def test_pictures_of_any_size_are_scored(nsfw: Nsfw, size: tuple[int, int]) -> None:
    scores = nsfw.scores(np.full((2, *size, 3), 127, np.uint8))
    assert scores.shape == (2, 5)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)


def test_no_picture_of_an_earlier_model_is_stopped(screen: ImageScreen) -> None:
    verdicts = screen.screen(starter_tiles())
    assert [verdict.decision for verdict in verdicts] == [Decision.ALLOW] * 16
    assert set(verdicts[0].scores) == {"blank/blank", *(f"nsfw/{name.lower()}" for name in REFERENCE["classes"])}


@pytest.mark.parametrize(
    ("score", "decision"),
    [(0.0, "allow"), (0.4999, "allow"), (0.5, "hold"), (0.8999, "hold"), (0.9, "refuse"), (1.0, "refuse")],
)
def test_the_thresholds_of_the_rules_decide(tmp_path: Path, score: float, decision: str) -> None:
    rule = {"id": "sexual/picture", "classifier": "test", "scores": ["bad"], "hold": 0.5, "refuse": 0.9}
    rules = Rules.load(written(tmp_path, image={"rules": [rule]}))
    screen = ImageScreen(rules, [Scripted(lambda images: np.full((len(images), 1), score))])
    (verdict,) = screen.screen(_pictures(1))
    assert verdict.decision == decision
    assert verdict.scores == {"test/bad": pytest.approx(score)}
    assert [f.rule for f in verdict.findings] == ([] if decision == "allow" else ["sexual/picture"])


def test_each_picture_gets_its_own_verdict_in_order(tmp_path: Path) -> None:
    screen = _screen(tmp_path, lambda images: np.array([[0.1], [0.7], [0.2]]))
    assert [v.decision for v in screen.screen(_pictures())] == ["allow", "hold", "allow"]


def _raises(images: np.ndarray) -> np.ndarray:
    raise RuntimeError("model says: prompt text that must not leak")


def _exits(images: np.ndarray) -> np.ndarray:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_raises, "raised RuntimeError"),
        (_exits, "raised SystemExit"),
        (lambda images: None, "answered object"),
        (lambda images: np.zeros((2, 1)), "instead of float [3, 1]"),
        (lambda images: np.zeros((3, 2)), "instead of float [3, 1]"),
        (lambda images: np.zeros((4, 1)), "instead of float [3, 1]"),
        (lambda images: np.zeros((3, 1), int), "answered int64"),
        (lambda images: np.full((3, 1), np.nan), "no score"),
        (lambda images: np.full((3, 1), -0.1), "no score"),
        (lambda images: np.full((3, 1), 1.5), "no score"),
        (lambda images: np.full((3, 1), np.inf), "no score"),
    ],
)
def test_a_classifier_that_goes_wrong_holds_every_picture(tmp_path: Path, answer: Callable, said: str) -> None:
    verdicts = _screen(tmp_path, answer).screen(_pictures())
    assert len(verdicts) == 3
    for verdict in verdicts:
        assert _held_as_unavailable(verdict)
        assert said in verdict.findings[0].detail
        assert "leak" not in verdict.findings[0].detail
        assert verdict.scores == {}


def test_one_nan_holds_one_picture(tmp_path: Path) -> None:
    verdicts = _screen(tmp_path, lambda images: np.array([[0.1], [np.nan], [0.2]])).screen(_pictures())
    assert [_held_as_unavailable(verdict) for verdict in verdicts] == [False, True, False]
    assert verdicts[0].allowed


def test_a_failing_classifier_does_not_hide_what_another_found(tmp_path: Path) -> None:
    rules = Rules.load(
        written(
            tmp_path,
            image={
                "rules": [
                    {"id": "broken/blank", "classifier": "blank", "scores": ["blank"], "refuse": 0.999},
                    {"id": "sexual/picture", "classifier": "test", "scores": ["bad"], "hold": 0.5},
                ]
            },
        )
    )
    (verdict,) = ImageScreen(rules, [Blank(), Scripted(_raises)]).screen(np.zeros((1, 32, 32, 3), np.uint8))
    assert verdict.decision is Decision.REFUSE
    assert [finding.rule for finding in verdict.findings] == ["broken/blank", UNAVAILABLE]
    assert verdict.scores == {"blank/blank": 1.0}


@pytest.fixture
def hanging() -> Iterator[tuple[threading.Event, Callable[[np.ndarray], np.ndarray]]]:
    release = threading.Event()

    def answer(images: np.ndarray) -> np.ndarray:
        release.wait(60)
        return np.zeros((len(images), 1))

    yield release, answer
    release.set()


def test_a_classifier_that_hangs_holds_and_is_not_called_again_until_it_comes_back(
    tmp_path: Path, hanging: tuple[threading.Event, Callable[[np.ndarray], np.ndarray]]
) -> None:
    release, answer = hanging
    classifier = Scripted(answer)
    screen = ImageScreen(Rules.load(written(tmp_path)), [classifier], seconds=0.05)
    assert all(_held_as_unavailable(verdict) for verdict in screen.screen(_pictures()))
    assert all(_held_as_unavailable(verdict) for verdict in screen.screen(_pictures()))
    assert classifier.calls == 1
    release.set()
    for thread in threading.enumerate():
        if thread.name == "screen-test":
            thread.join(60)
    assert all(verdict.allowed for verdict in screen.screen(_pictures()))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 32, 32, 3), np.float32),
        np.full((2, 32, 32, 3), np.nan),
        np.zeros((2, 32, 32, 4), np.uint8),
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((2, 0, 32, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_picture_is_held(screen: ImageScreen, images: np.ndarray) -> None:
    verdicts = screen.screen(images)
    assert len(verdicts) == 2
    assert all(verdict.decision is Decision.HOLD and not verdict.scores for verdict in verdicts)
    assert all({finding.rule for finding in verdict.findings} == {UNAVAILABLE} for verdict in verdicts)


def test_an_array_without_a_batch_axis_gets_no_verdict_at_all(screen: ImageScreen) -> None:
    with pytest.raises(ValueError, match=r"four axes.*\(32, 32, 3\)"):
        screen.screen(np.zeros((32, 32, 3), np.uint8))
    assert screen.screen(np.zeros((0, 32, 32, 3), np.uint8)) == []


@pytest.mark.parametrize("level", [0, 127, 255])
@pytest.mark.parametrize("grain", [0, 3])
def test_a_picture_of_one_colour_is_held_as_broken(screen: ImageScreen, level: int, grain: int) -> None:
    flat = level + np.random.default_rng(1).integers(-grain, grain + 1, (1, 256, 256, 3))
    (verdict,) = screen.screen(np.clip(flat, 0, 255).astype(np.uint8))
    assert [(finding.category, finding.rule) for finding in verdict.findings] == [("broken", "broken/blank")]
    assert verdict.decision is Decision.HOLD


def test_a_small_object_on_a_plain_ground_is_not_blank() -> None:
    picture = np.full((1, 512, 512, 3), 255, np.uint8)
    picture[0, 240:270, 240:270] = (200, 30, 30)
    gradient = np.broadcast_to(np.linspace(0, 255, 512).astype(np.uint8)[None, :, None, None], (1, 512, 512, 3))
    assert Blank().scores(picture)[0, 0] < 0.999
    assert Blank().scores(np.ascontiguousarray(gradient))[0, 0] < 0.1


def test_the_card_tells_the_truth_about_the_weights(nsfw: Nsfw) -> None:
    card = yaml.safe_load(CARD.read_text())
    weights = (CARD.parent / card["file"]).read_bytes()
    assert hashlib.sha256(weights).hexdigest() == card["sha256"]
    assert len(weights) == card["bytes"] < 5_000_000
    assert card["licence"] == "MIT"
    assert "Copyright (c) 2019 Infinite Red, Inc." in card["licence_text"]
    assert nsfw.revision == f"sha256:{card['sha256']} (MIT)"


@pytest.fixture
def card_copy(tmp_path: Path) -> Path:
    shutil.copy(CARD, tmp_path)
    shutil.copy(CARD.parent / "nsfw.onnx", tmp_path)
    return tmp_path / "nsfw.yaml"


def test_changed_missing_and_unrecorded_weights_are_not_loaded(card_copy: Path) -> None:
    weights = card_copy.parent / "nsfw.onnx"
    stored = bytearray(weights.read_bytes())
    stored[len(stored) // 2] ^= 1
    weights.write_bytes(stored)
    with pytest.raises(PolicyUnavailable, match=r"nsfw\.onnx: the weights have sha256"):
        Nsfw.load(card_copy)
    weights.unlink()
    with pytest.raises(PolicyUnavailable, match=r"nsfw\.onnx: no weights"):
        Nsfw.load(card_copy)
    card_copy.unlink()
    with pytest.raises(PolicyUnavailable, match=r"nsfw\.yaml: cannot be read"):
        Nsfw.load(card_copy)


def test_a_rule_about_a_score_that_nobody_gives_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PolicyUnavailable, match="asks classifier 'test'; loaded are blank, nsfw"):
        ImageScreen.load(Rules.load(written(tmp_path)))
    rule = {"id": "sexual/picture", "classifier": "test", "scores": ["worse"], "hold": 0.5}
    with pytest.raises(PolicyUnavailable, match="asks for worse; classifier 'test' scores bad"):
        ImageScreen(Rules.load(written(tmp_path, image={"rules": [rule]})), [Scripted(_raises)])


def test_threads_screening_at_once_get_their_own_answers(screen: ImageScreen) -> None:
    tiles = starter_tiles()
    expected = [verdict.scores for verdict in screen.screen(tiles)]
    fours = [tiles[start : start + 4] for start in range(0, 16, 4)]
    with ThreadPoolExecutor() as pool:
        found = [verdict for verdicts in pool.map(screen.screen, fours) for verdict in verdicts]
    for verdict, scores in zip(found, expected, strict=False):
        assert verdict.scores == pytest.approx(scores, abs=1e-5)


def test_a_verdict_survives_the_record(screen: ImageScreen) -> None:
    (verdict,) = screen.screen(np.zeros((1, 64, 64, 3), np.uint8))
    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json())))
    assert again.decision is verdict.decision
    assert merge([again]).findings == verdict.findings
