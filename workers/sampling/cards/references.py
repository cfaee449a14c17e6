"""Reference networks: cards of what lets one base model be shown a picture (IP-Adapter).

    models/references/<name>/card.yaml
    models/references/<name>/adapter.safetensors
    models/references/<name>/image_encoder/{config.json,model.safetensors}

The tasks on the card say what it was trained for: the style of any picture, or a garment that a person is to wear.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from workers.sampling.cards.contents import CARD, ModelFile, revision_of
from workers.sampling.cards.extras import STRICT, Name, Pin, Revision, Text, TrainingPictures, read_all

FOLDER = "references"  # below the models directory
ADAPTER, ENCODER = "adapter.safetensors", "image_encoder"
_NEEDED = frozenset({ADAPTER, f"{ENCODER}/config.json", f"{ENCODER}/model.safetensors"})


@dataclass(frozen=True, slots=True)
class ReferenceCard:
    """A network that shows one base model a picture."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    title: Text
    description: Text
    licence: Text
    allowed_use: Text
    training_data: Text
    training_pictures: tuple[TrainingPictures, ...]
    limits: tuple[Text, ...]
    base: Pin
    revision: Revision
    files: Annotated[tuple[ModelFile, ...], Field(min_length=3)]
    home: Path
    tasks: Annotated[tuple[Literal["style", "try-on"], ...], Field(min_length=1)]
    scale: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)] = 1.0  # what a request gets that names none
    max_scale: Annotated[float, Field(gt=0, le=4, allow_inf_nan=False)] = 1.5

    def __post_init__(self) -> None:
        if self.revision != revision_of(self.files):
            raise ValueError(f"revision: the listed files make {revision_of(self.files)}; run `presswork models hash`")
        if missing := sorted(_NEEDED - {file.path for file in self.files}):
            raise ValueError(f"files: {missing[0]} is not among them")
        if self.scale > self.max_scale:
            raise ValueError(f"scale: its own default {self.scale:g} is above its own limit {self.max_scale:g}")


def read_references(models_dir: Path, unusable: dict[tuple[str, str], str]) -> dict[str, ReferenceCard]:
    """The cards by name. Why one is no card goes into `unusable`."""
    return read_all(sorted((models_dir / FOLDER).glob(f"*/{CARD}")), ReferenceCard, "reference", unusable)
