"""Hash lists: copies of a listed picture are found, others are not, and a list that was changed stops the start."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from policy.errors import PolicyUnavailable, RulesInvalid
from policy.images import hash_list
from policy.images.hash_list import HashList, line
from policy.images.screen import ImageScreen
from policy.rules import Rules
from policy.verdict import Decision
from tests.policy.images.nsfw_reference.pictures import starter_tiles
from tests.support.rule_files import written

RULE = {"id": "minors/known", "classifier": "forbidden", "scores": ["abuse"], "hold": 0.7, "refuse": 0.76}


def scene(number: int, side: int = 256) -> np.ndarray:
    """A picture with something in it, another one for every number."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.asarray(coarse)


def listed(tmp_path: Path, *lines: str) -> tuple[Path, str]:
    path = tmp_path / "forbidden.txt"
    path.write_text("\n".join(lines) + "\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def loaded(tmp_path: Path, *lines: str) -> HashList:
    path, digest = listed(tmp_path, *lines)
    return HashList.load("forbidden", path, sha256=digest)


def rules(tmp_path: Path, digest: str, **changes: Any) -> Path:
    part = {"kind": "hash-list", "name": "forbidden", "file": "forbidden.txt", "sha256": digest, **changes}
    return written(tmp_path, image={"classifiers": [part], "rules": [RULE]})


def recompressed(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=40)
    return np.asarray(Image.open(file))


COPIES = {
    "the same": lambda image: image,
    "JPEG 40": recompressed,
    "half the size": lambda image: np.asarray(Image.fromarray(image).resize((128, 128))),
    "other proportions": lambda image: np.asarray(Image.fromarray(image).resize((300, 200))),
    "blurred": lambda image: np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2))),
    "darker": lambda image: (image * 0.8).astype(np.uint8),
    "grey": lambda image: np.asarray(Image.fromarray(image).convert("L").convert("RGB")),
    "mirrored": lambda image: image[:, ::-1],
    "turned": np.rot90,
    "upside down": lambda image: image[::-1],
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_of_a_listed_picture_are_found(tmp_path: Path, copy: str) -> None:
    lists = loaded(tmp_path, *(line(scene(number), "abuse", "seen in a report") for number in range(20)))
    for number in (0, 7, 19):
        assert lists.scores(np.ascontiguousarray(COPIES[copy](scene(number)))[None])[0, 0] >= 0.76


def test_other_pictures_are_not_found(tmp_path: Path) -> None:
    lists = loaded(tmp_path, *(line(scene(number), "abuse", "") for number in range(200)))
    others = [scene(number) for number in range(1000, 1100)]
    assert max(lists.scores(other[None])[0, 0] for other in others) < 0.5
    assert lists.scores(starter_tiles()).max() < 0.5


def test_each_category_has_its_own_score(tmp_path: Path) -> None:
    lists = loaded(
        tmp_path,
        "# a comment",
        "",
        line(scene(1), "logos", "ours to keep"),
        line(scene(2), "abuse", ""),
        line(scene(3), "abuse", "x"),
    )
    assert lists.classes == ("abuse", "logos")
    scores = lists.scores(np.stack([scene(1), scene(3)]))
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == [1, 0]).all()
    assert scores.max(axis=1).tolist() == [1, 1]


def test_a_long_list_is_compared_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_list, "AT_ONCE", 7)
    lists = loaded(tmp_path, *(line(scene(number), "abuse", "") for number in range(20)))
    assert [lists.scores(scene(number)[None])[0, 0] for number in (0, 6, 7, 13, 19)] == [1] * 5


def test_a_plain_picture_is_like_none_and_cannot_be_listed(tmp_path: Path) -> None:
    plain = np.full((64, 64, 3), 250, np.uint8)
    assert loaded(tmp_path, line(scene(1), "abuse", "")).scores(plain[None]).tolist() == [[0]]
    with pytest.raises(ValueError, match="is below"):
        line(plain, "abuse", "")


def test_a_match_is_refused_by_rule_and_the_raw_score_is_kept(tmp_path: Path) -> None:
    _, digest = listed(tmp_path, line(scene(1), "abuse", "case 7"))
    screen = ImageScreen.load(Rules.load(rules(tmp_path, digest)))
    hit, miss = screen.screen(np.stack([scene(1), scene(2)]))
    assert (hit.decision, miss.decision) == (Decision.REFUSE, Decision.ALLOW)
    assert [finding.rule for finding in hit.findings] == ["minors/known"]
    assert hit.scores["forbidden/abuse"] == 1
    assert "case 7" not in str(hit.to_json())
    assert screen.revisions["forbidden"].startswith(f"sha256:{digest}")


def test_another_list_is_another_policy_version(tmp_path: Path) -> None:
    _, digest = listed(tmp_path, line(scene(1), "abuse", ""))
    before = Rules.load(rules(tmp_path, digest)).version
    _, other = listed(tmp_path, line(scene(2), "abuse", ""))
    with pytest.raises(PolicyUnavailable, match=f"the list has sha256 {other}, the rule set records {digest}"):
        ImageScreen.load(Rules.load(rules(tmp_path, digest)))
    assert Rules.load(rules(tmp_path, other)).version != before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the list is empty"),
        ("# nothing\n\n", "the list is empty"),
        ("abc abuse", "line 1: not `HASH CATEGORY NOTE`"),
        ("\n" + "A" * 64 + " abuse", "line 2: not"),
        ("a" * 64, "line 1: not"),
        ("a" * 64 + " Abuse!", "line 1: not"),
        ("a" * 63 + " abuse", "line 1: not"),
    ],
)
def test_a_list_that_is_not_one_stops_the_start(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(PolicyUnavailable, match=said):
        loaded(tmp_path, content)


def test_a_missing_or_endless_list_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolicyUnavailable, match="cannot be read"):
        ImageScreen.load(Rules.load(rules(tmp_path, "0" * 64)))
    monkeypatch.setattr(hash_list, "MAX_BYTES", 10)
    with pytest.raises(PolicyUnavailable, match="split the list"):
        loaded(tmp_path, line(scene(1), "abuse", ""))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "nsfw"}, "'nsfw' is taken"),
        ({"name": "text"}, "'text' is taken"),
        ({"sha256": "abc"}, "should match pattern"),
        ({"kind": "pickle"}, "'hash-list', 'safety-checker', 'image-labels'"),
        ({"file": ""}, "at least 1 character"),
        ({"url": "https://example.com"}, "no such key"),
    ],
)
def test_a_mistake_in_the_rule_set_is_named_with_its_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesInvalid, match=r"line \d+.*" + said):
        Rules.load(rules(tmp_path, "0" * 64, **changes))
