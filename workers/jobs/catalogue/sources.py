"""Sources: what was found at the address of a picture, so that an unchanged file is neither fetched nor stored again.

An address is known by its digest alone. The bytes decide what a picture is; the ETag only saves their transfer.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, text

from workers.jobs.catalogue.tables import catalogue_sources
from workers.jobs.inputs.tables import inputs
from workers.states import InputState

_GONE = (InputState.FAILED, InputState.ERASED, InputState.RECALLED)
_KEEP = text(
    """
    INSERT INTO catalogue_sources (tenant, url_sha256, etag, sha256, input_id)
    SELECT :tenant, url_sha256, etag, sha256, input_id
    FROM json_to_recordset(CAST(:rows AS json)) AS sent (url_sha256 text, etag text, sha256 text, input_id uuid)
    ON CONFLICT (tenant, url_sha256) DO UPDATE
    SET etag = excluded.etag, sha256 = excluded.sha256, input_id = excluded.input_id, seen_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What an address gave the last time, as an input that may still be used."""

    url_sha256: str
    etag: str
    sha256: str
    input_id: str


def known_sources(conn: Connection, tenant: str, digests: Collection[str]) -> dict[str, KnownSource]:
    """By digest of the address. One whose input is gone is not known."""
    sources = catalogue_sources
    query = (
        select(sources)
        .join(inputs, inputs.c.id == sources.c.input_id)
        .where(sources.c.tenant == tenant, sources.c.url_sha256.in_(list(digests)), inputs.c.state.not_in(_GONE))
    )
    return {
        row.url_sha256: KnownSource(row.url_sha256, row.etag, row.sha256, row.input_id) for row in conn.execute(query)
    }


def keep_sources(conn: Connection, tenant: str, found: Sequence[KnownSource]) -> None:
    """Writes down what addresses gave. One statement."""
    if found:
        conn.execute(_KEEP, {"tenant": tenant, "rows": json.dumps([asdict(one) for one in found])})


def digests_of_inputs(conn: Connection, tenant: str, ids: Collection[str]) -> Mapping[str, str]:
    """SHA-256 of the file as it was sent, by id of those inputs that may still be used and are known by now."""
    query = select(inputs.c.id, inputs.c.sent_sha256).where(
        inputs.c.tenant == tenant,
        inputs.c.id.in_(list(ids)),
        inputs.c.state.not_in(_GONE),
        inputs.c.sent_sha256.is_not(None),
    )
    return {row.id: row.sent_sha256 for row in conn.execute(query)}
