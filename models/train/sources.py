"""Sources of the training pictures: two npm packages at fixed versions, with the digests of their archives.

Fetched with the `npm` of the machine, so that its own settings decide where from. Killed anywhere: an archive that is
not whole has another digest and is fetched again; a folder is put in place by a rename.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """An archive of pictures. `folder` is where it is unpacked."""

    name: str
    version: str
    folder: str
    sha256: str
    licence: str
    copyright: str

    @property
    def archive(self) -> str:
        """The file name `npm pack` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


PACKAGES = (
    Package(
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "fluent-emoji-3d",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        "MIT",
        "Copyright (c) Microsoft Corporation",
    ),
    Package(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "fluent-emoji-flat",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        "MIT",
        "Copyright (c) Microsoft Corporation",
    ),
)


def fetch(sources: Path) -> None:
    """Every package below `sources`. Raises SystemExit with the remedy where one cannot be had, or is another."""
    sources.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if (sources / package.folder).is_dir():
            continue
        archive = sources / package.archive
        if not (archive.exists() and _digest(archive) == package.sha256):
            _pack(package, sources)
        if (found := _digest(archive)) != package.sha256:
            raise SystemExit(
                f"{archive} has the digest {found}, not {package.sha256}: it is not the package this recipe was "
                "written for. Remedy: delete it and fetch again; if it stays so, do not use it"
            )
        _unpack(archive, sources / package.folder)
        print(f"sources: {package.name} {package.version}, {package.licence}, {package.copyright}")


def _pack(package: Package, sources: Path) -> None:
    wanted = f"{package.name}@{package.version}"
    try:
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=sources, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"npm could not fetch {wanted} ({error}). Remedy: install npm, or check its settings"
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(half, filter="data")
    (half / "package").rename(folder)
    shutil.rmtree(half)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "of nothing"
