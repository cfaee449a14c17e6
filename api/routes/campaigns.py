"""/v1/campaigns: submit a spreadsheet times a template times variants."""

from __future__ import annotations

import hashlib
import tempfile
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response

from api.edge.auth import Submitter
from api.edge.bodies import parse
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.edge.limits.agents import demand_bounded
from api.edge.multipart import Upload, campaign_upload
from api.schemas.base import NoQuery
from api.schemas.requests import CampaignBody
from api.schemas.submission import AcceptedReply, DryRunReply, UnchangedReply
from api.submission.campaign import Campaign
from api.submission.pictures.archive import PictureArchive
from api.submission.pictures.rows import RowPictures
from api.submission.preview.forecast import works_of
from api.submission.recipes import RecipeBook
from api.submission.store import CheckedRequest, dry_run, store
from api.submission.tenant_models import choose_model, tenant_models

router = APIRouter(route_class=InTurn, prefix="/v1/campaigns", tags=["Campaigns"])
_MEMORY_BYTES = 1024 * 1024  # of the spool; beyond it lies on disk


@router.post(
    "",
    status_code=202,
    response_model=AcceptedReply,
    responses={
        200: {
            "model": DryRunReply | UnchangedReply,
            "description": "Checked only (`dry_run`), or every image is there already (`unchanged: keep`);"
            " nothing was stored",
        }
    },
    response_description="Stored, with all its items; refused rows are listed",
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

    ```sh
    curl -H "Authorization: Bearer $PRESSWORK_KEY" -H "Idempotency-Key: spring-2027" \\
      -F 'spec={"template": "a {colour} {object} on a white background", "variants": 2}' \\
      -F file=@spring.csv http://127.0.0.1:8400/v1/campaigns
    ```
    """
    spec = parse(CampaignBody, upload.spec)
    if not spec.dry_run:
        demand_bounded(caller, spec.max_images, key=once.key)
    archive = PictureArchive(upload.pictures, parts.settings) if upload.pictures else None
    fingerprint = once.fingerprint(spec, _sha256(upload.file), *([_sha256(upload.pictures)] if upload.pictures else []))
    if not spec.dry_run and (replayed := once.replay(caller.tenant, fingerprint)):
        return replayed
    models = tenant_models(parts, caller.tenant)
    card = choose_model(models, spec.model)
    book = RecipeBook(card, parts.settings, models)
    pictures = RowPictures(parts, caller.tenant, archive, spec.consent)
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as spooled:
        spool = cast(BinaryIO, spooled)
        campaign = Campaign(
            spec,
            upload.file,
            book,
            registry=models,
            settings=parts.settings,
            rules=parts.rules,
            tenant=caller.tenant,
            pictures=pictures,
        )
        found = campaign.check(spool)
        checked = CheckedRequest(
            kind="campaign",
            asked=campaign.spec,
            template=spec.template,
            card=card,
            report=campaign.report(found),
            items=lambda _: pictures.named(campaign.items(spool)),
            carried_columns=found.carried_columns,
            pilot=found.pilot(),
            works=works_of(found, campaign.books, parts.settings),
            prepare=pictures.receive,
        )
        if spec.dry_run:
            with parts.transaction(caller.tenant) as conn:
                return JSONResponse(dry_run(conn, caller, parts, checked).model_dump(mode="json"))
        pictures.upload()
        return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))


def _sha256(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_MEMORY_BYTES):
        digest.update(chunk)
    return digest.digest()
