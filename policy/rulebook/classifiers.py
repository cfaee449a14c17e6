"""Bundled classifiers: what a rule set adds to those that ship, each with the digest that makes it part of the version.

Nothing is read here. The digest stands in the rule set, and the rule set's version is the digest of its bytes, so
another list or another network is another policy version.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from policy.rulebook.parts import RuleSetPart
from policy.rulebook.regeneration import NEVER, Regeneration, RegenerationPart

SHIPPED = ("blank", "nsfw", "nsfw-mid", "text")  # names that are taken

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class HashListPart(RuleSetPart):
    """A list of forbidden pictures by perceptual hash. Its classes are the categories in the file."""

    kind: Literal["hash-list"]
    name: _Name
    file: str = Field(min_length=1)  # beside the rule set, or absolute
    sha256: _Sha256


class NetworkPart(RuleSetPart):
    """A network in the layout of transformers: a folder, or a model of a hub at one commit.

    `safety-checker` is CompVis's, with the class `concept`. `image-labels` is any image classification model; its
    classes are the model's own labels.
    """

    kind: Literal["safety-checker", "image-labels"]
    name: _Name
    model: str = Field(min_length=1)  # a folder beside the rule set or absolute, else a hub's id
    commit: _Commit | None = None  # of the hub's model; a folder has none
    sha256: _Sha256  # of model.safetensors
    licence: str = Field(min_length=1)


ClassifierPart = Annotated[HashListPart | NetworkPart, Field(discriminator="kind")]


class PictureTextPart(RuleSetPart):
    """The key `text`: writing on a picture is read and screened as a prompt is, in these categories."""

    categories: list[str] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a rule set adds beyond what ships, and the folder in which its relative paths begin."""

    home: Path
    classifiers: tuple[HashListPart | NetworkPart, ...] = ()
    text_categories: frozenset[str] = frozenset()  # empty: texts on pictures are not read
    regeneration: Regeneration = NEVER


class BundledParts(RuleSetPart):
    """The keys of `image` other than its rules."""

    classifiers: list[ClassifierPart] = Field(default=[])
    text: PictureTextPart | None = None
    redraw: RegenerationPart | None = None

    @model_validator(mode="after")
    def _named_apart(self) -> BundledParts:
        names = [part.name for part in self.classifiers]
        taken = sorted({name for name in names if names.count(name) > 1 or name in SHIPPED})
        if taken:
            raise ValueError(f"the name {taken[0]!r} is taken; scores are kept under it, so choose another")
        return self

    def bundled(self, home: Path) -> Bundled:
        categories = frozenset(self.text.categories) if self.text else frozenset[str]()
        regeneration = NEVER
        if self.redraw is not None:
            regeneration = Regeneration(self.redraw.times, frozenset(self.redraw.rules), self.redraw.faults)
        return Bundled(home, tuple(self.classifiers), categories, regeneration)
