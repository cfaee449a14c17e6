"""Content hash of a model: one digest over the name and bytes of every file it is loaded from.

Anyone can check it without us, in the model's folder:

    find * -type f ! -name card.yaml | LC_ALL=C sort | xargs sha256sum | sha256sum
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

CARD = "card.yaml"  # describes the files, so it is not one of them

_PLAIN_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"  # no "..", no hidden, no absolute


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, as its card lists it. `path` is relative, with forward slashes."""

    path: Annotated[str, Field(pattern=_PLAIN_PATH)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model's files are: a folder (relative to the card), or a repository on the hub at one commit."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=False)

    folder: str | None = None
    hub: Annotated[str | None, Field(pattern=r"^[\w.-]+/[\w.-]+$")] = None
    commit: Annotated[str | None, Field(pattern="^[0-9a-f]{40}$")] = None
    variant: Annotated[str | None, Field(pattern=r"^\w+$")] = None  # "fp16": which of the repository's weights

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.hub is None):
            raise ValueError("name either a folder or a hub repository")
        if (self.hub is None) != (self.commit is None):
            raise ValueError("a hub repository is pinned by its commit (40 hex digits), a folder has none")


def revision_of(files: Iterable[ModelFile]) -> str:
    """ "sha256:<hex>" over the sorted lines "<sha256>  <path>", the format of sha256sum."""
    lines = sorted((file.path.encode(), f"{file.sha256}  {file.path}\n") for file in files)
    return "sha256:" + hashlib.sha256("".join(line for _, line in lines).encode()).hexdigest()


def file_of(folder: Path, path: str) -> ModelFile:
    """Size and digest of one file as it lies on disk now."""
    with (folder / path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return ModelFile(path, stream.tell(), digest)


def paths_in(folder: Path) -> tuple[str, ...]:
    """Every file below the folder except the card at its top, sorted; links are listed, not followed."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return tuple(sorted(p for p in (path.relative_to(folder).as_posix() for path in found) if p != CARD))
