"""Large files as they are received: put into the store, and a check of the campaign that is made next.

Killed before the last commit, the uploads are rows without an end, which the clerk deletes after an hour; after it, the
check is there, whoever carries it out. A repeat with the same Idempotency-Key is answered with the same check.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from fastapi.responses import Response
from sqlalchemy import Connection, Row

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.idempotency import Once, answered
from api.edge.multipart import sha256_of
from api.edge.problems import Problem
from api.schemas.campaign_checks import CampaignCheckReply
from api.schemas.requests import CampaignBody
from api.submission.large.whole import CampaignFiles
from api.submission.tenant_models import choose_model, tenant_models
from workers.jobs.idempotency import StoredReply
from workers.jobs.types import new_id
from workers.jobs.uploads import campaign_checks, files
from workers.jobs.uploads.campaign_checks import FILE_DAYS, NewCampaignCheck
from workers.store import file_key

MAX_CHECKING = 10  # checks of a tenant that wait or run
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1")  # ZIP and workbooks, gzip, Parquet
_PACKED_TIMES = 8  # the rows of a packed table in bytes of a plain one: they pack 5 to 50 times
_MEDIA_TYPE = "application/octet-stream"


def is_large(spec: CampaignBody, table: BinaryIO, most: int) -> bool:
    """Whether the file is checked in the background: asked for, or of `most` bytes and more."""
    table.seek(0)
    times = _PACKED_TIMES if table.read(4).startswith(_PACKED) else 1
    return spec.check == "later" or _size(table) * times >= most


def receive(caller: Caller, once: Once, fingerprint: bytes, spec: CampaignBody, sent: CampaignFiles) -> Response:
    """202 with the check. What can be said at once is: a model that is not there. Raises Problem and LimitExceeded."""
    parts = once.parts
    with parts.transaction(caller.tenant) as conn:
        _demand_room(conn, caller)
    choose_model(tenant_models(parts, caller.tenant), spec.model)
    size = _size(sent.table)
    table = _stored(parts, caller, sent.table, "table")
    pictures = _stored(parts, caller, sent.pictures, "pictures") if sent.pictures else None
    new = NewCampaignCheck(
        id=new_id(),
        key_id=caller.key_id,
        name=spec.name,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        file_id=table,
        pictures_file_id=pictures,
        bytes=size,
    )

    def work(conn: Connection) -> StoredReply:
        for id in filter(None, (table, pictures)):
            files.finish(conn, caller.tenant, id, actor=caller.actor)
        _demand_room(conn, caller)
        campaign_checks.create(conn, caller.tenant, new)
        return answered(202, check_reply(campaign_checks.get(conn, caller.tenant, new.id)))

    return once.run(caller.tenant, fingerprint, work)


def check_reply(row: Row[object]) -> CampaignCheckReply:
    """A check as it is answered."""
    shown = {name: getattr(row, name) for name in CampaignCheckReply.model_fields if name != "links"}
    request = f"/v1/requests/{row.id}" if row.state == "accepted" else None
    return CampaignCheckReply.model_validate(
        {**shown, "links": {"self": f"/v1/campaigns/{row.id}", "request": request}}
    )


def _demand_room(conn: Connection, caller: Caller) -> None:
    """Raises Problem where too many of the tenant's wait or run: asked before the upload, and again with the row."""
    if campaign_checks.count_open(conn, caller.tenant) >= MAX_CHECKING:
        detail = f"{MAX_CHECKING} campaigns of yours are being checked. Send it again when one of them is."
        raise Problem("too_many_running", detail, headers={"Retry-After": "30"})


def _stored(parts: Parts, caller: Caller, file: BinaryIO, name: str) -> str:
    """The id of a file whose bytes lie in the store. No connection is held while the store works."""
    id, sha256 = new_id(), sha256_of(file).hex()
    with parts.transaction(caller.tenant) as conn:
        files.begin(
            conn,
            id=id,
            tenant=caller.tenant,
            name=name,
            size=_size(file),
            sha256=sha256,
            seconds=FILE_DAYS * 86_400,
            most=parts.settings.max_files_bytes,
            purpose=files.CAMPAIGN,
        )
    parts.store.put_file(file_key(caller.tenant, id), file, _MEDIA_TYPE, sha256)
    return id


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)
