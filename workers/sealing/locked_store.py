"""Object lock: a bucket in which nothing can be changed or deleted before its time, by anybody.

Such a bucket keeps versions. A delete only lays a marker over an object and another put lays another version over
it, both of which a plain listing believes; so this store lists every key that ever was, and reads the oldest version.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from workers.errors import NotFound, NotLocked
from workers.settings import Settings
from workers.store import ObjectStore, StoredObject, _status, _unavailable


class LockedStore(ObjectStore):
    """An ObjectStore for what must stay. Raises NotLocked where the bucket cannot lock."""

    def __init__(self, settings: Settings, *, days: int) -> None:
        super().__init__(settings)
        self._days = days

    def put(self, key: str, data: bytes, media_type: str, *, expect_sha256: str | None = None) -> str:
        """Store once and lock in compliance mode. Putting the same bytes again changes nothing, their lock included."""
        digest = hashlib.sha256(data)
        try:
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ContentType=media_type,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                IfNoneMatch="*",
                Metadata={"sha256": digest.hexdigest()},
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=self._days),  # the store's clock judges it
            )
        except ClientError as error:
            if _status(error) == 400:
                raise NotLocked(
                    f"bucket {self.bucket} did not lock {key} ({error}). Remedy: make the bucket with object lock "
                    "enabled, or set PRESSWORK_ANCHOR_LOCK_DAYS=0"
                ) from error
            if _status(error) not in (409, 412):
                raise _unavailable(error) from error
            self._same_bytes(key, digest.hexdigest())
        except BotoCoreError as error:
            raise _unavailable(error) from error
        return digest.hexdigest()

    def get(self, key: str) -> bytes:
        """The oldest version's bytes: the one that was put first. Raises NotFound."""
        oldest = None
        for version_key, version in self._versions(key):
            if version_key == key:
                oldest = version
        if oldest is None:
            raise NotFound(f"no object {key}")
        try:
            return self._client.get_object(Bucket=self.bucket, Key=key, VersionId=oldest)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def list(self, prefix: str, *, page_size: int = 1_000, after: str = "") -> Iterator[StoredObject]:
        """Every key that was ever put below a prefix, in key order, deleted or not. Sizes are not known: -1."""
        last = None
        for key, _ in self._versions(prefix, page_size=page_size):
            if key != last and key > after:
                yield StoredObject(key, -1)
            last = key

    def _versions(self, prefix: str, *, page_size: int = 1_000) -> Iterator[tuple[str, str]]:
        """Key and version, in key order, of each key the newest first."""
        listing = self._client.get_paginator("list_object_versions")
        try:
            for page in listing.paginate(Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": page_size}):
                for version in page.get("Versions", []):
                    yield version["Key"], version["VersionId"]
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
