"""nsfwjs networks as classifiers: drawing, hentai, neutral, porn, sexy. Their cards are weights/nsfw*.yaml.

`nsfw` is asked about every picture. `nsfw-mid`, a larger network, is the second opinion where the first is unsure.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict

from policy.errors import PolicyUnavailable
from policy.files import read_yaml

CARD = Path(__file__).parent / "weights" / "nsfw.yaml"
MID_CARD = CARD.with_name("nsfw_mid.yaml")
MID = "nsfw-mid"
MOST_AT_ONCE = 16  # pictures a run; about 100 MB of activations


class WeightsCard(BaseModel):
    """The record of the weights. The loader compares it with the file; people and auditors read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classifier: str
    file: str
    sha256: str
    bytes: int
    side_pixels: int
    classes: tuple[str, ...]
    source: dict[str, str]
    conversion: str
    licence: str
    licence_text: str


class Nsfw:
    """One onnxruntime session, shared by all threads. A run releases the interpreter lock."""

    def __init__(self, card: WeightsCard, weights: bytes, *, threads: int) -> None:
        self.name = card.classifier
        self.classes = card.classes
        self.revision = f"sha256:{card.sha256} ({card.licence})"
        self._side = card.side_pixels
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the core alone
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    @classmethod
    def load(cls, card_path: Path = CARD, *, threads: int = 1) -> Self:
        """Raises PolicyUnavailable where card or weights are missing, or the weights are not the recorded ones."""
        card = read_yaml(card_path, WeightsCard, PolicyUnavailable).content
        path = card_path.parent / card.file
        try:
            weights = path.read_bytes()
        except OSError as missing:
            raise PolicyUnavailable(
                f"{path}: no weights there ({missing.strerror}); reinstall the package"
            ) from missing
        digest = hashlib.sha256(weights).hexdigest()
        if digest != card.sha256:
            raise PolicyUnavailable(
                f"{path}: the weights have sha256 {digest}, {card_path.name} records {card.sha256};"
                " they were changed or cut short: restore the file, or convert it again and record the new digest"
            )
        return cls(card, weights, threads=threads)

    def scores(self, images: np.ndarray) -> np.ndarray:
        pixels = np.stack([self.fitted(image) for image in images])
        runs = range(0, len(pixels), MOST_AT_ONCE)
        return np.concatenate(
            [self._session.run(None, {"pixels": pixels[start : start + MOST_AT_ONCE]})[0] for start in runs]
        )

    def fitted(self, image: np.ndarray) -> np.ndarray:
        """The whole picture, resized to the model's square.

        It is reduced as nsfwjs does it, without smoothing. It is enlarged by whole pixels, as in the model's training:
        smooth enlargement makes soft pictures, and the model takes soft pictures for skin.
        """
        enlarged = min(image.shape[:2]) < self._side
        how = cv2.INTER_NEAREST if enlarged else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (self._side, self._side), interpolation=how))
