"""GET of an object from a bucket that a tenant registered as a source: signed, and held to the rules of `fetch`.

`s3://BUCKET/KEY` names it. The request is signed by botocore (AWS Signature Version 4) and goes to the endpoint that
the source names: https, a public host, no redirect, one deadline, a limit of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from workers.errors import AddressRefused
from workers.outbound.fetch import FetchResult, fetch
from workers.outbound.places import S3_SCHEME, SourceAccess, object_place


def fetch_from(
    url: str,
    access: Callable[[str], SourceAccess | None],
    *,
    seconds: float,
    most_bytes: int,
    loopback: bool = False,
    accept: str = "image/*",
    etag: str = "",
) -> FetchResult:
    """`fetch` of an https address, or of an object of a bucket that `access` finds by its name.

    `source_unknown`: no source has this bucket, or this prefix of it. `forbidden`: the source's key may not read it.
    """
    if not url.startswith(S3_SCHEME):
        return fetch(url, seconds=seconds, most_bytes=most_bytes, loopback=loopback, accept=accept, etag=etag)
    try:
        place = object_place(url)
    except AddressRefused:
        return FetchResult(b"", "address_refused")
    source = access(place.bucket)
    if source is None or not place.key.startswith(source.prefix):
        return FetchResult(b"", "source_unknown")
    address = f"{source.endpoint}/{source.bucket}/{quote(place.key, safe='/~')}"
    signed = AWSRequest("GET", address)
    S3SigV4Auth(Credentials(source.access_key_id, source.secret), "s3", source.region).add_auth(signed)
    headers = {name: str(value) for name, value in signed.headers.items() if name.lower() != "host"}
    got = fetch(
        address, seconds=seconds, most_bytes=most_bytes, loopback=loopback, accept=accept, etag=etag, headers=headers
    )
    return FetchResult(b"", "forbidden") if got.status in (401, 403) else got
