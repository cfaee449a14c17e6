"""Writing on a locked product: what is recorded of it, and when a person has to look."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from policy.images.ocr import RapidReader
from policy.images.texts import TextLine, TextScreen
from policy.marks.encode import CODINGS, encode
from policy.marks.locks.product_lock import ProductLock
from policy.marks.marker import Marked
from policy.rules import Rules
from tests.support.rule_files import DEFAULT_RULES
from workers.gpu.writing import compared

ALPHA = np.zeros((160, 320), np.uint8)
ALPHA[10:150, 10:310] = 255


def label(words: str) -> np.ndarray:
    """A product with these words on it."""
    picture = np.full((160, 320, 3), 235, np.uint8)
    cv2.putText(picture, words, (30, 95), cv2.FONT_HERSHEY_DUPLEX, 1.4, (20, 20, 60), 2, cv2.LINE_AA)
    return picture


def file_of(picture: np.ndarray) -> Marked:
    data = encode(picture, CODINGS["image/png"][0], b"")
    return Marked("original", data, "image/png", 320, 160, "", {})


class Reader:
    """Answers with these lines, one list a picture, or fails."""

    revision = "of a test"

    def __init__(self, *answers: list[TextLine]) -> None:
        self.answers = answers

    def read(self, images: np.ndarray) -> list[list[TextLine]]:
        if not self.answers:
            raise OSError("the reader is gone")
        return [list(answer) for answer, _ in zip(self.answers, images, strict=True)]


def look(reader: Any, before: np.ndarray, after: np.ndarray) -> tuple[dict[str, Any], list[str]]:
    screen = TextScreen(Rules.load(DEFAULT_RULES), reader, seconds=60.0) if reader else None
    found = compared(screen, before, file_of(after), ProductLock(ALPHA, {}))
    return found.record["writing"], [finding.rule for finding in found.findings]


def test_writing_is_read_on_the_product_in_both_pictures() -> None:
    reader = RapidReader.load()
    words = label("FRESH MILK")
    assert look(reader, words, words) == ({"alike": True, "lines": 1}, [])
    said, rules = look(reader, words, label("FRESH SILK"))
    assert (said["alike"], rules) == (False, ["lock/writing"])


@pytest.mark.parametrize("reader", [None, Reader()], ids=["none asked for", "failing"])
def test_what_nobody_could_read_is_said_and_waits_where_reading_was_asked_for(reader: Any) -> None:
    said, rules = look(reader, label("A"), label("A"))
    assert said == {"alike": None, "lines": None}
    assert rules == (["lock/writing-unread"] if reader else [])


def test_what_was_read_is_kept_nowhere() -> None:
    lines = [TextLine("Jane Doe", 0.9)], [TextLine("John Doe", 0.9)]
    screen = TextScreen(Rules.load(DEFAULT_RULES), Reader(*lines), seconds=60.0)
    found = compared(screen, label("A"), file_of(label("A")), ProductLock(ALPHA, {}))
    assert "doe" not in repr(found).lower()
