"""Feed of a plan: read from the store where it was sent, else fetched from its address and stored."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import BinaryIO

from api.edge.dependencies import Parts
from api.edge.problems import Complaint
from api.schemas.catalogues import CatalogueBody
from workers.errors import NotFound
from workers.jobs.catalogue import plans
from workers.jobs.catalogue.plans import Planning
from workers.jobs.inputs import sources
from workers.outbound.objects import fetch_from
from workers.outbound.places import SourceAccess
from workers.store import feed_key

REMEDIES_OF_SOURCES = {
    "source_unknown": "Have an admin register its bucket with presswork source add, and keep to its prefix.",
    "forbidden": "Let the key of the source read it.",
}
_SECONDS = 120.0


class PlanLost(Exception):
    """Another process makes the plan."""


class Unplannable(Exception):
    """No plan can be made of this feed with this catalogue."""

    def __init__(self, *complaints: Complaint) -> None:
        super().__init__(complaints[0].message)
        self.complaints = list(complaints)


def read_feed(parts: Parts, planning: Planning, spec: CatalogueBody, file: BinaryIO) -> str:
    """The feed in `file`, and in the store; its SHA-256. Raises PlanLost and Unplannable."""
    row, digest = planning.row, hashlib.sha256()
    if row.feed_key:
        try:
            for piece in parts.store.stream(row.feed_key):
                file.write(piece)
                digest.update(piece)
        except NotFound:
            raise Unplannable(Complaint("missing", "the feed is gone", "Send it again.")) from None
        return digest.hexdigest()
    most, here = parts.settings.max_body_bytes, parts.settings.webhook_loopback
    access = partial(source_of, parts, row.tenant)
    got = fetch_from(spec.source.url, access, seconds=_SECONDS, most_bytes=most, loopback=here, accept="*/*")
    if got.error:
        message = f"the address of the feed gave nothing: {got.error.replace('_', ' ')}"
        remedy = REMEDIES_OF_SOURCES.get(got.error, "Correct `source.url`, or plan again later.")
        raise Unplannable(Complaint(f"fetch_{got.error}", message, remedy))
    file.write(got.body)
    key = feed_key(row.tenant, planning.plan_id, planning.attempt)
    parts.store.put(key, got.body, "application/octet-stream")
    with parts.transaction(row.tenant) as conn:
        if not plans.keep_feed(conn, planning, key):
            raise PlanLost
    return hashlib.sha256(got.body).hexdigest()


def source_of(parts: Parts, tenant: str, bucket: str) -> SourceAccess | None:
    """What opens the bucket that a tenant registered as a source."""
    with parts.transaction(tenant) as conn:
        return sources.access(conn, tenant, bucket)
