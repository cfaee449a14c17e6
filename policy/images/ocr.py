"""OCR reader: RapidOCR with the PP-OCRv6 detection and recognition of the wheel's own files. Card: weights/text.yaml.

Needs the extra `ocr`. The two networks are checked against the card and passed by path, so that nothing is fetched.
Every picture is resized to 736 pixels: the reader misses writing on smaller ones, and larger ones cost more and give no
more.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from policy.errors import PolicyUnavailable
from policy.files import read_yaml
from policy.images.texts import TextLine

CARD = Path(__file__).parent / "weights" / "text.yaml"
SIDE_PIXELS = 736  # of the longer side


class NetworkFile(BaseModel):
    """One network of the wheel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str
    bytes: int


class ReaderCard(BaseModel):
    """The record of the reader."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: str
    package: str
    version: str
    detection: NetworkFile
    recognition: NetworkFile
    licence: str
    source: str


class RapidReader:
    """One engine for all threads. RapidOCR locks its networks itself."""

    def __init__(self, engine: Any, revision: str) -> None:
        self._engine = engine
        self.revision = revision

    @classmethod
    def load(cls, card_path: Path = CARD, *, threads: int = 1, home: Path | None = None) -> Self:
        """From the installed package or another folder with its files.

        Raises PolicyUnavailable where they are missing.
        """
        card = read_yaml(card_path, ReaderCard, PolicyUnavailable).content
        spec = find_spec(card.package)
        if spec is None or spec.origin is None:
            raise PolicyUnavailable(
                f"the rule set reads writing on pictures (image.text), and {card.package} is not installed:"
                " install presswork[ocr], or remove image.text"
            )
        home = home or Path(spec.origin).parent
        detection, recognition = _checked(home, card.detection), _checked(home, card.recognition)
        from rapidocr import RapidOCR  # noqa: PLC0415 - an optional extra

        parameters = {
            "Global.log_level": "critical",
            "Global.use_cls": False,  # upside-down writing is not looked for
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": SIDE_PIXELS,
            "Det.model_path": str(detection),
            "Rec.model_path": str(recognition),
        }
        digests = f"sha256:{card.detection.sha256} sha256:{card.recognition.sha256}"
        return cls(RapidOCR(params=parameters), f"{digests} ({card.licence})")

    def read(self, images: np.ndarray) -> list[list[TextLine]]:
        return [self._lines(_sized(image)) for image in images]

    def _lines(self, image: np.ndarray) -> list[TextLine]:
        found = self._engine(image[..., ::-1])  # BGR, as OpenCV reads files
        if found.txts is None:
            return []
        return [TextLine(str(text), float(score)) for text, score in zip(found.txts, found.scores, strict=True)]


def _sized(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    share = SIDE_PIXELS / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC))


def _checked(home: Path, file: NetworkFile) -> Path:
    path = home / file.path
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as missing:
        raise PolicyUnavailable(
            f"{path}: no weights there ({missing.strerror}); install presswork[ocr] again"
        ) from missing
    if digest != file.sha256:
        raise PolicyUnavailable(
            f"{path}: the weights have sha256 {digest}, {CARD.name} records {file.sha256}; install the recorded version"
        )
    return path
