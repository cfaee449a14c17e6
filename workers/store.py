"""Object store: one bucket with a prefix for each kind of object, each object written once.

    released/<tenant>/<item>/<attempt>/<rendition>.<ext>   what tenants get presigned links to
    quarantine/<tenant>/<item>/<attempt>/<rendition>.<ext> what waits for a reviewer
    drawings/<tenant>/<item>/<attempt>/drawing.png         pixels without marks, for later files; never linked to
    inbox/<tenant>/<id>                                    uploads: of identification questions and of inputs
    inputs/<tenant>/<input>/<attempt>/<picture>.<ext>      pictures that tasks may use, sanitised; never linked to
    files/<tenant>/<file>                                  files that clients of the OpenAI API upload
    files/<tenant>/feeds/<plan>/<attempt>                  feeds of catalogues, as they were planned
    recalled/...                                           what the clerk took out of released/, under the same path
    ledger/checkpoints/<log>/<countdown>-<size>-<root>     anchors of the audit ledger (workers/sealing/anchors.py)
    ledger/revocations/<log>/<countdown>-<sequence>        revocation lists (workers/revocation_lists.py)

A key names the attempt that wrote it, so a repeated put of one attempt is the same object, and a dead
attempt's leftovers are never referred to. The store verifies the SHA-256 that we send.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from workers.errors import DigestMismatch, NotFound, StoreRefused, StoreUnavailable
from workers.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RELEASED = "released"
QUARANTINE = "quarantine"
RECALLED = "recalled"
INBOX = "inbox"
FILES = "files"
INPUTS = "inputs"
DRAWINGS = "drawings"
CHECK_KEY = f"{RELEASED}/.write-check"  # no link is ever given to it
_CHECK = b"presswork " * 100
_TRIES = 4  # botocore's standard mode, with its own backoff
_CHANGED_ON_THE_WAY = {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}  # codes of an answer
_CONNECT_SECONDS = 2
_READ_SECONDS = 60
_PROBE_SECONDS = 2  # a store that takes longer to answer is not one to upload to
_PROOF_SECONDS = 10  # for so long a put that succeeded shows that the next one may
_PIECE_BYTES = 1024 * 1024  # of an object that is read piece by piece
_POOL = 16  # connections; at least the worker's threads
_MEDIA_SUFFIX = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif"}


class StoredObject(NamedTuple):
    """One line of a listing."""

    key: str
    bytes: int
    modified_at: datetime = datetime.max  # the store's clock; the default is for listings without one: never old


def released_key(tenant: str, item_id: str, attempt: int, rendition: str, media_type: str) -> str:
    return f"{RELEASED}/{tenant}/{item_id}/{attempt}/{rendition}.{_MEDIA_SUFFIX[media_type]}"


def quarantine_key(tenant: str, item_id: str, attempt: int, rendition: str, media_type: str) -> str:
    return f"{QUARANTINE}/{tenant}/{item_id}/{attempt}/{rendition}.{_MEDIA_SUFFIX[media_type]}"


def drawing_key(tenant: str, item_id: str, attempt: int) -> str:
    return f"{DRAWINGS}/{tenant}/{item_id}/{attempt}/drawing.png"


def inbox_key(tenant: str, id: str) -> str:
    return f"{INBOX}/{tenant}/{id}"


def input_key(tenant: str, input_id: str, attempt: int, name: str, media_type: str) -> str:
    return f"{INPUTS}/{tenant}/{input_id}/{attempt}/{name}.{_MEDIA_SUFFIX[media_type]}"


def file_key(tenant: str, file_id: str) -> str:
    return f"{FILES}/{tenant}/{file_id}"


def feed_key(tenant: str, plan_id: str, attempt: int) -> str:
    return f"{FILES}/{tenant}/feeds/{plan_id}/{attempt}"


def rows_key(feed: str) -> str:
    """Of the rows of a feed as an apply read them; they are deleted with it."""
    return f"{feed}.rows"


class ObjectStore:
    """S3 through boto3. Thread-safe. Raises StoreUnavailable where waiting helps."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.s3_bucket
        self._proved_at = float("-inf")  # monotonic, when a put last succeeded
        self._client = _client(settings, settings.s3_endpoint_url)
        self._prober = _client(settings, settings.s3_endpoint_url, tries=1, read_seconds=_PROBE_SECONDS)
        public = settings.s3_public_endpoint_url or settings.s3_endpoint_url
        self._public = self._client if public == settings.s3_endpoint_url else _client(settings, public)

    def put(self, key: str, data: bytes, media_type: str, *, expect_sha256: str | None = None) -> str:
        """Store once; the SHA-256 (hex) that the store verified. Durable when it returns.

        Putting the same bytes again succeeds. Other bytes under the key, or bytes that are not those
        of `expect_sha256` any more, raise DigestMismatch.
        """
        digest = hashlib.sha256(data).digest()
        if expect_sha256 not in (None, digest.hex()):
            raise DigestMismatch(f"the bytes for {key} changed after they were read back")
        return self._put(key, data, media_type, digest)

    def put_file(self, key: str, file: BinaryIO, media_type: str, sha256: str) -> str:
        """`put` for a file on disk, from its beginning, whose digest is known; memory holds a piece of it."""
        file.seek(0)
        return self._put(key, file, media_type, bytes.fromhex(sha256))

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound."""
        return b"".join(self.stream(key))

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces. Raises NotFound before the first of them."""
        try:
            yield from self._client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(_PIECE_BYTES)
        except ClientError as error:
            if _status(error) == 404:
                raise NotFound(f"no object {key}") from error
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error

    def delete(self, key: str) -> None:
        """Gone afterwards, whether it was there or not."""
        try:
            self._client.delete_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def list(self, prefix: str, *, page_size: int = 1_000, after: str = "") -> Iterator[StoredObject]:
        """Every object below a prefix and after a key, in key order; a page is fetched when its first is wanted."""
        listing = self._client.get_paginator("list_objects_v2")
        try:
            pages = listing.paginate(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after, PaginationConfig={"PageSize": page_size}
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"])
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def presign(self, key: str, seconds: int, disposition: str = "") -> str:
        """A GET link to one object that ends after `seconds`; the answer carries this Content-Disposition."""
        named = {"ResponseContentDisposition": disposition} if disposition else {}
        return self._public.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": key, **named}, ExpiresIn=seconds
        )

    def healthy(self) -> bool:
        """Whether the store answers for our bucket within seconds; no retries. For the API, which never writes."""
        try:
            self._prober.list_objects_v2(Bucket=self.bucket, Prefix=f"{RELEASED}/", MaxKeys=1)
        except ClientError as error:
            return _status(error) == 403  # it answers; this identity may not list
        except BotoCoreError:
            return False
        return True

    def check_writable(self) -> None:
        """Returns if this identity may put pictures: one conditional put of a small object, deleted again.

        It is not empty: an empty object needs no volume, so it would prove nothing about a picture; and on a full disk
        SeaweedFS would take it as far as its metadata, whose store then refuses every write until it is restarted.
        Within seconds, without retries. Raises StoreRefused where the store refuses this worker, and StoreUnavailable.
        A picture stored in the last seconds is proof enough. Killed between the two calls: the object stays,
        and the next check finds and deletes it.
        """
        if time.monotonic() - self._proved_at < _PROOF_SECONDS:
            return
        try:
            self._prober.put_object(Bucket=self.bucket, Key=CHECK_KEY, Body=_CHECK, IfNoneMatch="*")
        except ClientError as error:
            if _status(error) not in (409, 412):
                raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error
        self._proved_at = time.monotonic()
        with suppress(ClientError, BotoCoreError):
            self._prober.delete_object(Bucket=self.bucket, Key=CHECK_KEY)

    def _put(self, key: str, data: bytes | BinaryIO, media_type: str, digest: bytes) -> str:
        try:
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ContentType=media_type,
                ChecksumSHA256=base64.b64encode(digest).decode(),
                IfNoneMatch="*",
                Metadata={"sha256": digest.hex()},
            )
        except ClientError as error:
            if _status(error) not in (409, 412):
                raise _unavailable(error) from error
            self._same_bytes(key, digest.hex())
        except BotoCoreError as error:
            raise _unavailable(error) from error
        self._proved_at = time.monotonic()
        return digest.hex()

    def _same_bytes(self, key: str, sha256: str) -> None:
        try:
            stored = self.get(key)
        except NotFound as error:  # another put of the key was under way and came to nothing
            raise StoreUnavailable(f"{key} was being written by another put") from error
        if hashlib.sha256(stored).hexdigest() != sha256:
            raise DigestMismatch(f"{key} holds other bytes than those just made")


def _client(
    settings: Settings, endpoint: str | None, *, tries: int = _TRIES, read_seconds: float = _READ_SECONDS
) -> S3Client:
    secret = settings.s3_secret_access_key
    key = secret.get_secret_value() if secret else None
    return _made_client(endpoint, settings.s3_region, (settings.s3_access_key_id, key), tries, read_seconds)


@lru_cache(maxsize=8)
def _made_client(
    endpoint: str | None, region: str, credentials: tuple[str | None, str | None], tries: int, read_seconds: float
) -> S3Client:
    """This process's client for these values. It is thread-safe, and making one costs 8 ms of CPU."""
    key_id, key = credentials
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": tries},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=read_seconds,
            max_pool_connections=_POOL,
        ),
    )
    again: Any = partial(_sent_again, tries)  # the type stubs know no handler that answers
    client.meta.events.register("needs-retry.s3.PutObject", again)
    return client


def _sent_again(tries: int, response: Any = None, attempts: int = 1, **_more: object) -> float | None:
    """Seconds to wait before a put whose bytes the store received changed; None ends it. botocore knows no such retry.

    Our bytes are what they were: `put` has compared them with their digest. A whole batch is not drawn again for that.
    """
    code = response[1].get("Error", {}).get("Code") if response else None
    return 0.1 * 2**attempts if code in _CHANGED_ON_THE_WAY and attempts < tries else None


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _unavailable(error: Exception) -> StoreUnavailable:
    if isinstance(error, ClientError) and _status(error) in (401, 403):
        code = error.response.get("Error", {}).get("Code", "")
        remedy = _REMEDIES.get(code, "give the identity of this process the rights that docs/storage.md lists")
        return StoreRefused(f"the object store refuses this process: {error}; {remedy}")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StoreRefused(f"{error}: set PRESSWORK_S3_ACCESS_KEY_ID and PRESSWORK_S3_SECRET_ACCESS_KEY")
    return StoreUnavailable(f"the object store failed or did not answer: {error}")


_REMEDIES = {
    "RequestTimeTooSkewed": "correct the clock of this machine",
    "InvalidAccessKeyId": "check PRESSWORK_S3_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "check PRESSWORK_S3_SECRET_ACCESS_KEY",
}
