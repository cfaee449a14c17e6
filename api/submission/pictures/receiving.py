"""Reception of a picture: its bytes go to the inbox, and what is left to do is one row."""

from __future__ import annotations

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.edge.uploads.inputs import SentInput
from policy.intake.picture import check_input
from workers.errors import AddressRefused
from workers.jobs.inputs import sources
from workers.jobs.inputs.received import NewInput, known
from workers.jobs.types import new_id
from workers.outbound.places import S3_SCHEME, object_place
from workers.outbound.urls import check_url
from workers.store import inbox_key


def received(caller: Caller, parts: Parts, sent: SentInput, digest: str) -> NewInput:
    """The input, ready to be stored; its bytes are in the inbox, unless they are known already. Raises Problem."""
    new = NewInput(new_id(), caller.tenant, caller.key_id, "upload", sent.name, sent.address, sent.consent)
    if sent.address:
        try:
            _demand_readable(caller, parts, sent.address)
        except AddressRefused as refused:
            complaint = Complaint("url", str(refused), "Send another address, or the file itself.", field="url")
            raise Problem("invalid_body", f"url: {refused}.", errors=[complaint]) from refused
        return new._replace(origin="address")
    width, height = check_input(sent.data).upright
    new = new._replace(sent_sha256=digest, sent_bytes=len(sent.data), width=width, height=height)
    with parts.transaction(caller.tenant) as conn:
        if known(conn, caller.tenant, digest):
            return new
    key = inbox_key(caller.tenant, new.id)
    parts.store.put(key, sent.data, "application/octet-stream")
    return new._replace(object=key)


def _demand_readable(caller: Caller, parts: Parts, address: str) -> None:
    """Raises AddressRefused. What is there is looked at where it is fetched."""
    if not address.startswith(S3_SCHEME):
        check_url(address, loopback=parts.settings.webhook_loopback)
        return
    place = object_place(address)
    with parts.transaction(caller.tenant) as conn:
        source = sources.access(conn, caller.tenant, place.bucket)
    if source is None or not place.key.startswith(source.prefix):
        raise AddressRefused(
            f"no source of yours has {S3_SCHEME}{place.bucket}/...; an admin registers one (/v1/sources)"
        )
