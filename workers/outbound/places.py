"""Places of objects: what an s3:// address names, and the bucket of a tenant that it is read from. Asks no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from workers.errors import AddressRefused
from workers.outbound.urls import MAX_URL_CHARS

S3_SCHEME = "s3://"
_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)")
_NO_NAMES = frozenset(("", ".", ".."))  # parts of a key that some stores read as another key


class ObjectPlace(NamedTuple):
    """What an s3:// address names."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """A bucket that may be read, and the key that opens it. Never logged: it holds a secret."""

    endpoint: str  # without a path
    region: str
    bucket: str
    prefix: str  # of every object that may be read; "" or a path that ends in /
    access_key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"SourceAccess({self.endpoint}/{self.bucket})"


def object_place(url: str) -> ObjectPlace:
    """Raises AddressRefused for what is no address of an object. Asks no network."""
    found = _PLACE.fullmatch(url)
    if found is None or len(url) > MAX_URL_CHARS or not url.isprintable():
        raise AddressRefused("an object is named s3://bucket/path, as the bucket of a source is called")
    if _NO_NAMES & set(found.group(2).split("/")):
        raise AddressRefused("the path of an object has no empty part, no '.' and no '..'")
    return ObjectPlace(found.group(1), found.group(2))
