"""Source pictures of a feed: looked up, or fetched and hashed, and stored once as inputs by their content.

A cell names an https address, an object of a source (s3://BUCKET/KEY), the id of an input, or a file that was sent
along with the plan. The bytes decide: a new address with the same bytes is the same picture. The ETag of an address
only saves the transfer. An address that gives no picture blocks its row and no other; redirects are not followed, so
none leads to a private address.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from uuid import UUID

from api.catalogues.fetching import REMEDIES_OF_SOURCES, source_of
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, quoted
from policy.errors import PictureRefused
from policy.intake.picture import check_input
from workers.jobs.catalogue.sources import KnownSource, digests_of_inputs, keep_sources, known_sources
from workers.jobs.inputs.received import NewInput, receive
from workers.jobs.inputs.received import known as known_input
from workers.jobs.types import new_id
from workers.outbound.objects import fetch_from
from workers.store import inbox_key

_AT_ONCE = 8  # addresses
_TOGETHER = 32  # addresses between two renewals of the lease, each within PRESSWORK_INPUT_FETCH_SECONDS
_FETCH_SECONDS = 900.0  # of one plan: slow servers of one tenant must not hold up the plans of others
_REMEDIES = {
    **REMEDIES_OF_SOURCES,
    "redirect": "Write the address that it leads to.",
    "status": "Correct the address, or put the picture there.",
    "too_large": "Put a smaller file there, such as a JPEG.",
    "address_refused": "Write a public https address.",
}


class SourcePicture(NamedTuple):
    """A picture that a row may be made from."""

    sha256: str
    input_id: str


Found = SourcePicture | Complaint


class SourcePictures:
    """The pictures of one plan. One thread asks; fetches run beside each other."""

    def __init__(
        self, parts: Parts, tenant: str, key_id: str, sent: Mapping[str, str], renew: Callable[[], object]
    ) -> None:
        self._parts, self._tenant, self._key_id, self._sent = parts, tenant, key_id, sent
        self._renew, self._seconds_left = renew, _FETCH_SECONDS
        self._fetched: dict[str, Found] = {}  # by address, so that a feed asks each once

    def find(self, cells: Iterable[str]) -> dict[str, Found]:
        """By what a cell says. Raises TooManyInputs and what a store raises."""
        asked = {cell for cell in cells if cell}
        ids = {cell: id for cell in asked if (id := self._sent.get(cell) or _as_id(cell))}
        with self._parts.transaction(self._tenant) as conn:
            digests = digests_of_inputs(conn, self._tenant, set(ids.values()))
        found: dict[str, Found] = {
            cell: SourcePicture(digests[id], id) if id in digests else _unknown(cell) for cell, id in ids.items()
        }
        addresses = {cell for cell in asked if cell not in ids and "://" in cell}
        found |= {cell: _no_address(cell) for cell in asked - addresses - ids.keys()}
        new = sorted(addresses - self._fetched.keys())
        for start in range(0, len(new), _TOGETHER):
            self._renew()
            self._fetch(new[start : start + _TOGETHER])
        return found | {cell: self._fetched[cell] for cell in addresses}

    def _fetch(self, addresses: Sequence[str]) -> None:
        if self._seconds_left <= 0:
            self._fetched |= {address: _too_slow(address) for address in addresses}
            return
        started = time.monotonic()
        digests = {address: hashlib.sha256(address.encode()).hexdigest() for address in addresses}
        with self._parts.transaction(self._tenant) as conn:
            known = known_sources(conn, self._tenant, set(digests.values()))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = threads.map(lambda address: self._one(address, known.get(digests[address])), addresses)
            found = dict(zip(addresses, answers, strict=True))
        kept = [one for one in found.values() if isinstance(one, KnownSource)]
        with self._parts.transaction(self._tenant) as conn:
            keep_sources(conn, self._tenant, kept)
        for address, one in found.items():
            self._fetched[address] = one if isinstance(one, Complaint) else SourcePicture(one.sha256, one.input_id)
        self._seconds_left -= time.monotonic() - started

    def _one(self, address: str, known: KnownSource | None) -> KnownSource | Complaint:
        settings = self._parts.settings
        got = fetch_from(
            address,
            partial(source_of, self._parts, self._tenant),
            seconds=settings.input_fetch_seconds,
            most_bytes=settings.input_max_bytes,
            loopback=settings.webhook_loopback,
            etag=known.etag if known else "",
        )
        if got.unchanged and known:
            return known
        if got.error:
            message = f"{quoted(address)} gave no picture: {got.error.replace('_', ' ')}"
            return Complaint(f"fetch_{got.error}", message, _REMEDIES.get(got.error, "Plan again later."))
        try:
            width, height = check_input(got.body).upright
        except PictureRefused as refused:
            message = f"{quoted(address)} gave no picture that can be used: {refused}"
            return Complaint(str(refused.code), message, "Put a PNG, JPEG, WebP or AVIF there.")
        most, side = settings.input_max_pixels, settings.input_max_side
        if width * height > most or max(width, height) > side:
            message = f"{quoted(address)} is {width} x {height}; {side:,} a side and {most:,} pixels are allowed"
            return Complaint("too_large", message, "Put a smaller picture there.")
        digest = hashlib.sha256(got.body).hexdigest()
        id = self._stored(address, got.body, digest, (width, height))
        return KnownSource(hashlib.sha256(address.encode()).hexdigest(), got.etag, digest, id)

    def _stored(self, address: str, body: bytes, digest: str, size: tuple[int, int]) -> str:
        """The input of these bytes. Killed between the put and the row: the upload is swept."""
        with self._parts.transaction(self._tenant) as conn:
            if there := known_input(conn, self._tenant, digest):
                return there
        id = new_id()
        key = inbox_key(self._tenant, id)
        self._parts.store.put(key, body, "application/octet-stream")
        new = NewInput(
            id=id,
            tenant=self._tenant,
            key_id=self._key_id,
            origin="upload",
            address=address,
            object=key,
            sent_sha256=digest,
            sent_bytes=len(body),
            width=size[0],
            height=size[1],
        )
        with self._parts.transaction(self._tenant) as conn:
            return receive(conn, new)


def _as_id(text: str) -> str | None:
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def _too_slow(address: str) -> Complaint:
    message = (
        f"{quoted(address)} was not asked: the pictures of the feed took more than {_FETCH_SECONDS / 60:.0f} minutes"
    )
    return Complaint("fetch_timeout", message, "Plan again: what was fetched is known by then.")


def _unknown(cell: str) -> Complaint:
    message = f"{quoted(cell)} names no input that can be used, or one that is not looked at yet"
    return Complaint("input_unknown", message, "Send it with POST /v1/inputs.")


def _no_address(cell: str) -> Complaint:
    message = f"{quoted(cell)} is no https:// or s3:// address, no id of an input and no file that was sent along"
    return Complaint("picture_unusable", message, "Write an address, or send the pictures with --pictures.")
