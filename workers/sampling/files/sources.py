"""Sources of models: a folder, a prefix of an S3 bucket, or a repository on the model hub at one commit.

All that is fetched goes into a folder of the caller's; nothing of it is trusted before the folder rules have read it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from workers.errors import HubUnavailable, ModelMissing, ModelRefused

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_HUB = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)/(?P<prefix>.+)")
_ADDING = ".adding"  # below the models directory: one rename away from it, and no place of cards


class ModelOrigin(NamedTuple):
    """Where a model comes from."""

    kind: str  # folder | file | s3 | hub
    place: str
    commit: str | None = None

    @property
    def name(self) -> str:
        """What people call it: the last part of the place."""
        last = self.place.rstrip("/").rsplit("/", 1)[-1]
        return last.removesuffix(".safetensors") if self.kind == "file" else last


def read_source(text: str) -> ModelOrigin:
    """What a command line names. Raises ModelMissing where it is nothing that can be read."""
    if found := _S3.fullmatch(text):
        return ModelOrigin("s3", f"{found['bucket']}/{found['prefix'].rstrip('/')}")
    if found := _HUB.fullmatch(text):
        return ModelOrigin("hub", found["repository"], found["commit"])
    path = Path(text).expanduser()
    if path.is_dir():
        return ModelOrigin("folder", str(path.resolve()))
    if path.is_file() and path.suffix == ".safetensors":
        return ModelOrigin("file", str(path.resolve()))
    raise ModelMissing(
        f"{text!r} is no folder, no .safetensors file, no s3://bucket/prefix and no owner/name@commit of the hub"
    )


@contextmanager
def staging(models_dir: Path, name: str) -> Iterator[Path]:
    """An empty folder beside the models, gone afterwards unless it was moved. Killed: the next one begins afresh."""
    place = models_dir / _ADDING / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(models_dir / _ADDING) if not any((models_dir / _ADDING).iterdir()) else None


def copy_files(folder: Path, paths: tuple[str, ...], target: Path) -> None:
    """Copies what links point to, if that lies in the folder or in the hub cache it is a snapshot of."""
    inside = folder.parent.parent if folder.parent.name == "snapshots" else folder
    for path in paths:
        origin = (folder / path).resolve()
        if not origin.is_relative_to(inside.resolve()):
            raise ModelRefused(f"{path}: is a link that leads out of {folder}")
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, target / path)


def fetch_hub(source: ModelOrigin, target: Path) -> Path:
    """The snapshot of a repository at its commit, through the hub's client. Raises HubUnavailable and ModelMissing."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only where a hub is asked
    from huggingface_hub.errors import (  # noqa: PLC0415
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    patterns = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.md", "LICENSE*", "NOTICE*"]
    try:
        place = snapshot_download(
            source.place, revision=source.commit, allow_patterns=patterns, local_dir=target, max_workers=2
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelMissing(f"the hub has no {source.place} at {source.commit}, or refuses access to it") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise HubUnavailable(f"the hub did not answer for {source.place} at {source.commit}") from error
    return Path(place)


def fetch_s3(client: S3Client, source: ModelOrigin, target: Path) -> Path:
    """Every object below the prefix. A key that is no path below it is refused: it names a file of ours."""
    bucket, _, prefix = source.place.partition("/")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    found = False
    for page in pages:
        for entry in page.get("Contents", []):
            path = PurePosixPath(entry["Key"].removeprefix(f"{prefix}/"))
            if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in str(path):
                raise ModelRefused(f"s3://{bucket}/{entry['Key']}: is no path below the prefix")
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, entry["Key"], str(target / path))
            found = True
    if not found:
        raise ModelMissing(f"s3://{source.place}: there is no object below it")
    return target
