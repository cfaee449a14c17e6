"""/v1/campaigns: submit a spreadsheet times a template times variants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response

from api.edge.auth import Submitter
from api.edge.bodies import parse
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.edge.limits.agents import demand_bounded
from api.edge.multipart import Upload, campaign_upload, sha256_of
from api.schemas.base import NoQuery
from api.schemas.campaign_checks import CampaignCheckReply
from api.schemas.requests import CampaignBody
from api.schemas.submission import AcceptedReply, DryRunReply, UnchangedReply
from api.submission.large.looks import look_for_checks
from api.submission.large.received import is_large, receive
from api.submission.large.whole import CampaignFiles, checked_campaign
from api.submission.store import dry_run, store

router = APIRouter(route_class=InTurn, prefix="/v1/campaigns", tags=["Campaigns"])


@router.post(
    "",
    status_code=202,
    response_model=AcceptedReply | CampaignCheckReply,
    responses={
        200: {
            "model": DryRunReply | UnchangedReply,
            "description": "Checked only (`dry_run`), or every image is there already (`unchanged: keep`);"
            " nothing was stored",
        }
    },
    response_description="Stored, with all its items; refused rows are listed. Or, of a large file, accepted: its check"
    " goes on at `links.self`",
    summary="Submit a campaign",
)
def submit_campaign(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    upload: Annotated[Upload, Depends(campaign_upload)],
) -> Response:
    """Checks every row first, then stores all of them or nothing.

    The file is CSV or TSV, Excel (`.xlsx`), JSON lines, Parquet or a Google Merchant feed, also in ZIP or
    gzip; its format, delimiter, encoding and header are found, and the reply says how it was read. The
    columns `custom_id` (or `id`), `width`, `height`, `num_inference_steps`, `guidance_scale`, `upscale`,
    `loras` (`name` or `name:0.8`, a space between two), `seed`, `variants`, `negative_prompt`, `model`,
    `task`, `strength`, `priority` and `renditions` (names, a space between two) override the spec for their
    row; the template asks for any other column by its name. `image`, `mask`, `control_image` and
    `reference_image` name inputs by id, or files of the ZIP that is sent as the part `pictures`. One cause is
    one error, with its rows.
    Rows that policy refuses do not stop the campaign: their items are stored as refused, and the reply lists
    them.

    A file of 1 MiB or more (`PRESSWORK_CHECK_LATER_BYTES`; a packed one counts eightfold) is accepted first and checked
    in the background: the reply has a `state`, and GET /v1/campaigns/{id} says how far it is. `check: later` asks for
    that.

    ```sh
    curl -H "Authorization: Bearer $PRESSWORK_KEY" -H "Idempotency-Key: spring-2027" \\
      -F 'spec={"template": "a {colour} {object} on a white background", "variants": 2}' \\
      -F file=@spring.csv http://127.0.0.1:8400/v1/campaigns
    ```
    """
    spec = parse(CampaignBody, upload.spec)
    if not spec.dry_run:
        demand_bounded(caller, spec.max_images, key=once.key)
    sent = CampaignFiles(upload.file, upload.pictures)
    later = is_large(spec, upload.file, parts.settings.check_later_bytes)
    fingerprint = once.fingerprint(spec, *(sha256_of(file) for file in sent if file))
    if (later or not spec.dry_run) and (replayed := once.replay(caller.tenant, fingerprint)):
        return replayed
    if later:
        reply = receive(caller, once, fingerprint, spec, sent)
        look_for_checks(parts)
        return reply
    with checked_campaign(parts, caller.tenant, spec, sent) as (checked, pictures):
        if spec.dry_run:
            with parts.transaction(caller.tenant) as conn:
                return JSONResponse(dry_run(conn, caller, parts, checked).model_dump(mode="json"))
        pictures.upload()
        return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))
