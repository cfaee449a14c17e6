"""Cards of upscalers and adapters: what may be put beside a model to enlarge its pictures or bend its style.

    models/upscalers/<name>/card.yaml    a network that enlarges any picture by its factor
    models/loras/<name>/card.yaml        a LoRA, trained for one base model at one revision

Both are pinned by content as models are: `revision` is the digest of the list of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from workers.errors import CardInvalid
from workers.sampling.cards.contents import CARD, ModelFile, revision_of

UPSCALERS, LORAS = "upscalers", "loras"  # folders of the models directory

Text = Annotated[str, Field(min_length=1)]
# A folder's name, as models are called in the world: "SDXL", "stable-diffusion-xl-base-1.0". Neither hidden nor "..".
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$", max_length=63)]
Revision = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Files = Annotated[tuple[ModelFile, ...], Field(min_length=1, max_length=1)]
STRICT = ConfigDict(extra="forbid", strict=False)
C = TypeVar("C")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml where it is built in


@dataclass(frozen=True, slots=True)
class TrainingPictures:
    """One source of the pictures a network was trained on."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Text
    licence: Text
    copyright: Text
    use: Text
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""  # of the archive they came in


@dataclass(frozen=True, slots=True)
class Pin:
    """Another card's name, and the revision it had when this one was written."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    revision: Revision


@dataclass(frozen=True, slots=True)
class UpscalerCard:
    """A network that enlarges any picture by `factor`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    title: Text
    description: Text
    licence: Text
    copyright: Text
    source: Text
    conversion: Text
    limits: tuple[Text, ...]
    revision: Revision
    files: Files
    home: Path
    architecture: Literal["SRVGGNetCompact"]
    factor: Annotated[int, Field(ge=2, le=8)]
    features: Annotated[int, Field(ge=1, le=256)]
    convolutions: Annotated[int, Field(ge=1, le=64)]

    def __post_init__(self) -> None:
        _check_revision(self.revision, self.files)


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """A LoRA for the UNet of one base model."""

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
    files: Files
    home: Path
    scale: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)] = 1.0  # what a request gets that names none
    max_scale: Annotated[float, Field(gt=0, le=4, allow_inf_nan=False)] = 1.5
    words: tuple[Text, ...] = ()  # how people name the style; a prompt that says them should ask for it
    training: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _check_revision(self.revision, self.files)
        if self.scale > self.max_scale:
            raise ValueError(f"scale: its own default {self.scale:g} is above its own limit {self.max_scale:g}")


def read_extras(
    models_dir: Path, folder: str, form: type[C], unusable: dict[tuple[str, str], str] | None = None
) -> dict[str, C]:
    """The cards of one folder of extras by name. Why one is no card goes into `unusable`, or is raised without it."""
    kind = "upscaler" if folder == UPSCALERS else "adapter"
    return read_all(sorted((models_dir / folder).glob(f"*/{CARD}")), form, kind, unusable)


def read_all(
    paths: Iterable[Path], form: type[C], kind: str, unusable: dict[tuple[str, str], str] | None
) -> dict[str, C]:
    """Cards by name. Raises CardInvalid only where there is no `unusable` to list it in."""
    found: dict[str, C] = {}
    for path in paths:
        try:
            found[path.parent.name] = read(path, form)
        except CardInvalid as error:
            if unusable is None:
                raise
            unusable[kind, path.parent.name] = str(error)
    return found


def read(path: Path, form: type[C]) -> C:
    """One card of any form, checked. Raises CardInvalid naming the file and every field that is wrong."""
    try:
        written = yaml.load(path.read_text("utf-8"), _LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CardInvalid(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(written, dict):
        raise CardInvalid(f"{path}: a card is a mapping of fields, this is a {type(written).__name__}")
    try:
        card = TypeAdapter(form).validate_python({**written, "home": path.parent})
    except ValidationError as error:
        raise CardInvalid(f"{path}: " + "; ".join(_sentence(e["loc"], e["msg"]) for e in error.errors())) from error
    if written["name"] != path.parent.name:
        raise CardInvalid(f"{path}: name: {written['name']!r} is not the name of its folder, {path.parent.name!r}")
    return card


def _check_revision(revision: str, files: tuple[ModelFile, ...]) -> None:
    if revision != revision_of(files):
        raise ValueError(f"revision: the listed files make {revision_of(files)}; run `presswork models hash`")
    if not files[0].path.endswith(".safetensors") or "/" in files[0].path:
        raise ValueError("files: one .safetensors file beside the card")


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(part) for part in location)
    return f"{place}: {message}" if place else message.removeprefix("Value error, ")
