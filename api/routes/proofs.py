"""/v1/audit, what can be taken away and checked without us: heads, proofs, evidence packs.

Everything is confined to the caller's tenant, down to the events in a pack; a head and a consistency proof tell
nothing but sizes and hashes. What is answered was not judged here: anyone with the public keys can verify it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from api.edge.auth import Auditor
from api.edge.dependencies import Parts, PartsOf
from api.edge.in_turn import InTurn
from api.edge.middleware.ranges import WholeFile
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.fields import PathId
from api.schemas.proofs import ConsistencyQuery, HeadQuery, PackQuery, ProvenEventReply
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.tree.notes import Vkey
from policy.ledger.tree.proofs import Proven, head, prove_extension, proven_asset, proven_event
from policy.ledger.witnesses.witness_policy import WitnessPolicy

router = APIRouter(route_class=InTurn, prefix="/v1/audit", tags=["Audit"])
MAX_PACK_EVENTS = 10_000  # of one request: seconds of work while a connection is lent; the command makes larger ones
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}


class _Keys(NamedTuple):
    vkeys: tuple[Vkey, ...]
    witnesses: WitnessPolicy | None


@router.get("/checkpoint", summary="A signed head of the ledger", response_class=PlainTextResponse)
def checkpoint(caller: Auditor, parts: PartsOf, query: Annotated[HeadQuery, Query()]) -> PlainTextResponse:
    """A C2SP signed note, with the cosignatures of witnesses. Keep it: later heads must extend it."""
    with _ledger(parts) as conn:
        return PlainTextResponse(head(conn, query.size))


@router.get("/consistency", summary="Proof that a head extends the one you kept", response_class=PlainTextResponse)
def consistency(caller: Auditor, parts: PartsOf, query: Annotated[ConsistencyQuery, Query()]) -> PlainTextResponse:
    """The request body of c2sp.org/tlog-witness: "old N", hashes, and the newer head."""
    if query.old > query.new:
        complaint = Complaint("invalid", "'old' is more than 'new'", "Swap them.", field="query.old")
        raise Problem("invalid_parameters", "query.old: it is more than 'new'.", errors=[complaint])
    with _ledger(parts) as conn:
        return PlainTextResponse(str(prove_extension(conn, query.old, query.new, _keys(parts).vkeys)))


@router.get("/proofs/events/{event_id}", summary="An event of yours, with its inclusion proof")
def event_proof(
    event_id: PathId, caller: Auditor, parts: PartsOf, query: Annotated[HeadQuery, Query()]
) -> ProvenEventReply:
    """Good offline and for ever. An event can be proven seconds after it was recorded."""
    event_id = uuid_or_not_found(event_id, "event")
    with _ledger(parts) as conn:
        return _told(proven_event(conn, event_id, size=query.size, tenant=caller.tenant))


@router.get("/proofs/assets/{asset_id}", summary="The release of an asset of yours, with its inclusion proof")
def asset_proof(
    asset_id: PathId, caller: Auditor, parts: PartsOf, query: Annotated[HeadQuery, Query()]
) -> ProvenEventReply:
    """The event that released it: what made it, under which policy, and the digests of its files."""
    asset_id = uuid_or_not_found(asset_id, "asset")
    with _ledger(parts) as conn:
        return _told(proven_asset(conn, asset_id, size=query.size, tenant=caller.tenant))


@router.get("/packs", summary="An evidence pack of an asset or a request", response_class=WholeFile, responses=_ZIP)
def pack(caller: Auditor, parts: PartsOf, query: Annotated[PackQuery, Query()]) -> WholeFile:
    """A ZIP that anybody checks offline with the one file inside it. It holds your tenant's events, and the texts of
    the rule sets and model cards they name. Events of batches are not in it: batches mix tenants.
    """
    if (query.asset is None) == (query.request is None):
        complaint = Complaint("invalid", "one thing was to be named", "Name an asset or a request.", field="query")
        raise Problem("invalid_parameters", "query: name an asset or a request.", errors=[complaint])
    asset_id = uuid_or_not_found(query.asset, "asset") if query.asset else None
    request_id = uuid_or_not_found(query.request, "request") if query.request else None
    keys = _keys(parts)
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="presswork-pack-")))
        selection = Selection(asset_id, request_id, tenant=caller.tenant)
        with _ledger(parts) as conn:
            write_pack(
                conn,
                folder / "pack.zip",
                selection,
                vkeys=keys.vkeys,
                witnesses=keys.witnesses,
                limit=MAX_PACK_EVENTS,
            )
        name = f"evidence-{asset_id or request_id}.zip"
        after = BackgroundTask(undo.pop_all().close)  # once it was sent, or the caller hung up
    return WholeFile(folder / "pack.zip", media_type="application/zip", filename=name, background=after)


def _told(found: Proven) -> ProvenEventReply:
    return ProvenEventReply(
        event_id=found.event_id,
        index=found.proof.index,
        size=found.size,
        event=found.body.decode(errors="replace"),
        proof=str(found.proof),
    )


def _keys(parts: Parts) -> _Keys:
    settings = parts.settings
    if settings.ledger_vkeys is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_LEDGER_VKEYS for the API process.")
    policy = WitnessPolicy.load(settings.witness_policy) if settings.witness_policy else None
    return _Keys(load_vkeys(settings.ledger_vkeys), policy)


@contextmanager
def _ledger(parts: Parts) -> Iterator[Connection]:
    if parts.auditor is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    with parts.auditor.connect() as conn:
        yield conn
