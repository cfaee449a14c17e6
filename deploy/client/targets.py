"""Targets of fetched files: a folder, a ZIP, or a prefix of a bucket. An object is whole before the manifest names it.

A name comes from an installation that may be anybody's, made of data that may be anybody's: it is made safe once more
here, and no name leads out of the target. Nothing that is there already and is not one of these files is overwritten.
Killed anywhere, what was fetched stays and is not fetched again; half a file has another name, and is replaced.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from deploy.errors import FetchFailed
from workers.delivery.file_names import safe_name

MANIFESTS = ("manifest.csv", "manifest.jsonl")
_CHUNK = 1024 * 1024
_PART = ".presswork-part"


class FetchTarget(Protocol):
    """Where files go. `put` is called from several threads, each with names of its own."""

    def digest(self, name: str) -> str | None:
        """SHA-256 of the file of that name; None if there is none."""

    def put(self, name: str, content: bytes) -> None:
        """The file is whole and durable afterwards."""

    def finish(self) -> None:
        """Nothing follows."""

    def __str__(self) -> str: ...


def target_of(text: str) -> FetchTarget:
    """A folder, a file that ends in .zip, or s3://bucket/prefix. Raises FetchFailed."""
    if text.startswith("s3://"):
        return BucketTarget(text)
    path = Path(text)
    return ZipTarget(path) if path.suffix.lower() == ".zip" else FolderTarget(path)


def harmless(name: str) -> str:
    """The name, if it is one that our own rule would give; else what the rule makes of it."""
    stem, dot, ending = name.rpartition(".")
    safe = safe_name(stem, f".{ending}") if dot and ending.isascii() and ending.isalnum() else safe_name(name)
    return f"_{safe}" if safe.lower() in MANIFESTS else safe


class FolderTarget:
    """A folder, made if need be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return str(self._folder)

    def digest(self, name: str) -> str | None:
        path = self._folder / name
        if path.is_symlink():
            raise FetchFailed(f"{path} is a link. Remedy: remove it, or fetch into another folder")
        if not path.exists():
            return None
        read = hashlib.sha256()
        with _writing(path), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                read.update(chunk)
        return read.hexdigest()

    def put(self, name: str, content: bytes) -> None:
        path, part = self._folder / name, self._folder / f".{hashlib.sha256(name.encode()).hexdigest()[:16]}{_PART}"
        with _writing(path):
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)

    def finish(self) -> None:
        for part in self._folder.glob(f".*{_PART}"):
            part.unlink(missing_ok=True)


class ZipTarget:
    """A ZIP that is put together when everything is there, from a folder beside it that is then removed."""

    def __init__(self, path: Path) -> None:
        self._path, self._parts = path, path.with_name(f".{path.name}.parts")
        self._folder = FolderTarget(self._parts)
        if path.exists() and not any(self._parts.iterdir()):
            self._parts.rmdir()
            raise FetchFailed(f"{path} exists. Remedy: remove it, or choose another name")

    def __str__(self) -> str:
        return str(self._path)

    def digest(self, name: str) -> str | None:
        return self._folder.digest(name)

    def put(self, name: str, content: bytes) -> None:
        self._folder.put(name, content)

    def finish(self) -> None:
        self._folder.finish()
        whole = self._parts / f".whole{_PART}"
        names = sorted(path.name for path in self._parts.iterdir() if not path.name.endswith(_PART))
        with _writing(self._path):
            with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for name in names:
                    archive.write(self._parts / name, name)
            whole.replace(self._path)
            for name in names:
                (self._parts / name).unlink()
            self._parts.rmdir()


class BucketTarget:
    """A prefix of a bucket of the caller's, with boto3's own credential chain and AWS_ENDPOINT_URL."""

    def __init__(self, url: str) -> None:
        import boto3  # noqa: PLC0415 - half a second that only this target needs
        from botocore.config import Config  # noqa: PLC0415

        split = urlsplit(url)
        self._bucket, self._prefix, self._url = split.netloc, split.path.strip("/"), url
        if not self._bucket:
            raise FetchFailed(f"{url} names no bucket. Remedy: write it like s3://bucket/prefix")
        config = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=5)
        self._client: Any = boto3.Session().client("s3", config=config)

    def __str__(self) -> str:
        return self._url

    def digest(self, name: str) -> str | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._refusals():
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=self._key(name))
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise
        return str(found["Metadata"].get("sha256", "unknown"))

    def put(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content)
        with self._refusals():
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(name),
                Body=content,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                Metadata={"sha256": digest.hexdigest()},
            )

    def finish(self) -> None:
        pass

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise FetchFailed(
                f"{self._url} refused or did not answer: {error}. Remedy: check bucket, credentials and"
                " AWS_ENDPOINT_URL, and run the command again; what is there is not sent again"
            ) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FetchFailed(
            f"cannot write {path}: {error.strerror or error}. Remedy: make room or choose another place, and run the"
            " command again; what is there is not fetched again"
        ) from error
