"""Bucket of a tenant's own, spoken to as S3: checked writes, through connections to checked addresses only.

An object is written once: other bytes under its name are never replaced, and the same bytes are found again by their
digest. The connection is that of webhooks: https, a public host, no redirect, one deadline. Each request is signed by
botocore (AWS Signature Version 4); nothing of an answer is read beyond its status, its error code and its digest.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpcore
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from workers.outbound.pinned import FAILURES, PinnedBackend, failure_code, tls_context, url_of
from workers.outbound.urls import check_url, resolve

_MOST_ERROR_BYTES = 64 * 1024
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_DIGEST = "x-amz-meta-sha256"
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "EntityTooLarge", "StorageFull"})


class BucketRefused(Exception):
    """The bucket did not take or give what it was asked; `code` is stable."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """Where a bucket is, and the key that opens it. Never logged: it holds a secret."""

    endpoint: str  # without a path
    region: str
    bucket: str
    access_key_id: str
    secret: str
    seconds: float = 60.0  # of one call
    loopback: bool = False  # tests and development

    def __repr__(self) -> str:
        return f"BucketAccess({self.endpoint}/{self.bucket})"

    def put_once(self, key: str, data: bytes, media_type: str) -> bool:
        """The object has these bytes afterwards; False if it had them before. Raises BucketRefused."""
        sha256 = hashlib.sha256(data).hexdigest()
        found = self.digest(key)
        if found == sha256:
            return False
        if found is not None:
            raise BucketRefused("occupied", f"{key} is there already, with other bytes")
        self._write(key, data, media_type, sha256, {"if-none-match": "*"})
        return True

    def replace(self, key: str, data: bytes, media_type: str) -> None:
        """The object, one of ours that changes, has these bytes afterwards. Raises BucketRefused."""
        self._write(key, data, media_type, hashlib.sha256(data).hexdigest(), {})

    def digest(self, key: str) -> str | None:
        """The SHA-256 that the object was written with, "" for one that tells none; None where there is no object."""
        status, headers, code = self._call("HEAD", key)
        if status == 404:
            return None
        _demand(status, code, "HEAD", key)
        return headers.get(_DIGEST, "")

    def delete(self, key: str) -> None:
        """Gone afterwards, whether it was there or not. Raises BucketRefused."""
        status, _, code = self._call("DELETE", key)
        if status != 404 or code == "NoSuchBucket":
            _demand(status, code, "DELETE", key)

    def _write(self, key: str, data: bytes, media_type: str, sha256: str, more: Mapping[str, str]) -> None:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers = {"content-type": media_type, "x-amz-checksum-sha256": checksum, _DIGEST: sha256, **more}
        status, _, code = self._call("PUT", key, data, headers)
        _demand(status, code, "PUT", key)
        if self.digest(key) != sha256:
            raise BucketRefused("digest", f"{key} reads back with another digest than it was written with")

    def _call(
        self, method: str, key: str, data: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and error code. Raises BucketRefused where no answer comes."""
        target = check_url(f"{self.endpoint}/{quote(self.bucket)}/{quote(key, safe='/~')}", loopback=self.loopback)
        url = url_of(target)
        signed = AWSRequest(method, bytes(url).decode(), data=data, headers=dict(headers or {}))
        S3SigV4Auth(Credentials(self.access_key_id, self.secret), "s3", self.region).add_auth(signed)
        sent = [("Host", signed.headers.get("Host") or _host(url)), ("Connection", "close")]
        sent += [(name, str(value)) for name, value in signed.headers.items() if name.lower() != "host"]
        sent.append(("Content-Length", str(len(data))))
        deadline = time.monotonic() + self.seconds
        try:
            backend = PinnedBackend(resolve(target, self.seconds, loopback=self.loopback), deadline)
            with (
                httpcore.ConnectionPool(ssl_context=tls_context(), network_backend=backend) as pool,
                pool.stream(method, url, headers=sent, content=data) as answer,
            ):
                said = b""
                for chunk in answer.iter_stream():
                    said += chunk
                    if len(said) > _MOST_ERROR_BYTES:
                        break
                fields = {name.decode().lower(): value.decode("latin-1") for name, value in answer.headers}
                code = _CODE.search(said)
                return answer.status, fields, code.group(1).decode() if code else ""
        except FAILURES as problem:
            raise BucketRefused(failure_code(problem), f"{method} {key}: {type(problem).__name__}") from problem


def _demand(status: int, code: str, method: str, key: str) -> None:
    """Raises BucketRefused for what is no success."""
    if 200 <= status < 300:
        return
    if code in _FULL or status in (413, 507):
        reason = "full"
    elif status in (401, 403):
        reason = "forbidden"
    elif status == 404:
        reason = "no_bucket"
    elif status in (409, 412):
        reason = "occupied"
    elif status == 400 and "Digest" in code:
        reason = "digest"
    else:
        reason = "redirect" if 300 <= status < 400 else "unavailable"
    raise BucketRefused(reason, f"{method} {key}: {status} {code}".rstrip())


def _host(url: httpcore.URL) -> str:
    host, port = url.host.decode(), url.port
    return host if port in (None, 80, 443) else f"{host}:{port}"
