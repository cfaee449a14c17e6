"""/v1/campaigns/{id}: large campaigns whose file was accepted, and how far their check is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Reader, Submitter
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.campaign_checks import CampaignCheckReply
from api.submission.large.looks import look_after
from api.submission.large.received import check_reply
from workers.errors import NotFound
from workers.jobs.idempotency import StoredReply
from workers.jobs.uploads import campaign_checks

router = APIRouter(route_class=InTurn, prefix="/v1/campaigns", tags=["Campaigns"])
CheckId = Annotated[str, Path(max_length=64, description="as the submission was answered")]


@router.get("", summary="List the campaigns that are checked in the background, newest first")
def list_campaign_checks(
    caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]
) -> Page[CampaignCheckReply]:
    """Those that are over are kept for 30 days. A campaign of a small file is a request at once and not listed here."""
    with parts.transaction(caller.tenant) as conn:
        found = campaign_checks.list_checks(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page([check_reply(row) for row in found], query.limit)
    return Page(data=list(shown), next_cursor=cursor)


@router.get("/{campaign_id}", summary="One campaign that is checked in the background")
def read_campaign_check(
    campaign_id: CheckId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> CampaignCheckReply:
    """How far it is, and then its `reply` or its `problem`."""
    with parts.transaction(caller.tenant) as conn:
        row = campaign_checks.get(conn, caller.tenant, uuid_or_not_found(campaign_id, "campaign"))
    look_after(parts, row)
    return check_reply(row)


@router.post("/{campaign_id}/cancel", response_model=CampaignCheckReply, summary="Cancel a campaign before it is made")
def cancel_campaign_check(
    campaign_id: CheckId, caller: Submitter, parts: PartsOf, once: OnceOf, query: Annotated[NoQuery, Query()]
) -> Response:
    """Nothing of it is stored. A campaign that is a request by now is 409: cancel the request."""
    id = uuid_or_not_found(campaign_id, "campaign")

    def work(conn: Connection) -> StoredReply:
        if caller.is_agent and campaign_checks.get(conn, caller.tenant, id).key_id != caller.key_id:
            raise NotFound(f"no campaign {id}")
        campaign_checks.cancel(conn, caller.tenant, id, actor=caller.actor)
        return answered(200, check_reply(campaign_checks.get(conn, caller.tenant, id)))

    return once.run(caller.tenant, once.fingerprint(), work)
