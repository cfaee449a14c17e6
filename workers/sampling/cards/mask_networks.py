"""Card of the mask network that ships: models/masks/u2netp/card.yaml. What it is, and the weights that it pins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from workers.errors import ModelMissing, ModelRefused
from workers.sampling.cards.contents import CARD, revision_of
from workers.sampling.cards.extras import STRICT, Files, Name, Revision, Text, read

FOLDER, NETWORK = "masks", "u2netp"  # below the models directory


@dataclass(frozen=True, slots=True)
class MaskNetworkCard:
    """A network that finds the main object of a picture."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    title: Text
    description: Text
    licence: Text
    copyright: Text
    source: Text
    training_data: Text
    doubts: tuple[Text, ...]
    limits: tuple[Text, ...]
    revision: Revision
    files: Files
    home: Path
    side_pixels: int

    def __post_init__(self) -> None:
        if self.revision != revision_of(self.files):
            raise ValueError(f"revision: the listed files make {revision_of(self.files)}")

    @property
    def method(self) -> str:
        """As records of a mask name it."""
        return f"{self.name} {self.revision}"

    def weights(self) -> bytes:
        """Raises ModelMissing where they are not there, ModelRefused where they are others."""
        (listed,) = self.files
        path = self.home / listed.path
        try:
            found = path.read_bytes()
        except OSError as missing:
            why = f"no weights there ({missing.strerror}); install the package again"
            raise ModelMissing(f"{path}: {why}") from missing
        digest = hashlib.sha256(found).hexdigest()
        if digest != listed.sha256:
            raise ModelRefused(f"{path}: weights of sha256 {digest}; {CARD} records {listed.sha256}; restore the file")
        return found


def read_mask_network(models_dir: Path) -> MaskNetworkCard | None:
    """The card; None where this models directory has none. Raises CardInvalid."""
    path = models_dir / FOLDER / NETWORK / CARD
    return read(path, MaskNetworkCard) if path.exists() else None
