"""Whole campaign: a spec, a table and perhaps a ZIP of pictures, as a checked request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

from api.edge.dependencies import Parts
from api.schemas.requests import CampaignBody
from api.submission.campaign import Campaign
from api.submission.large.progress import RowsWatched
from api.submission.pictures.archive import PictureArchive
from api.submission.pictures.rows import RowPictures
from api.submission.preview.forecast import works_of
from api.submission.recipes import RecipeBook
from api.submission.store import CheckedRequest
from api.submission.tenant_models import choose_model, tenant_models

_MEMORY_BYTES = 1024 * 1024  # of the spool; beyond it lies on disk


class CampaignFiles(NamedTuple):
    """What was sent beside the spec. The caller owns both."""

    table: BinaryIO
    pictures: BinaryIO | None = None  # a ZIP


class WholeCampaign(NamedTuple):
    """A campaign with nothing left to complain about. `pictures` are uploaded before the request is stored."""

    request: CheckedRequest
    pictures: RowPictures


@contextmanager
def checked_campaign(
    parts: Parts, tenant: str, spec: CampaignBody, files: CampaignFiles, watched: RowsWatched | None = None
) -> Iterator[WholeCampaign]:
    """The campaign, as long as the block lasts: its rows lie in a temporary file. Raises Problem with every error."""
    archive = PictureArchive(files.pictures, parts.settings) if files.pictures else None
    models = tenant_models(parts, tenant)
    card = choose_model(models, spec.model)
    pictures = RowPictures(parts, tenant, archive, spec.consent)
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as spooled:
        spool = cast(BinaryIO, spooled)
        campaign = Campaign(
            spec,
            files.table,
            RecipeBook(card, parts.settings, models),
            registry=models,
            settings=parts.settings,
            rules=parts.rules,
            tenant=tenant,
            pictures=pictures,
            watched=watched,
        )
        found = campaign.check(spool)
        request = CheckedRequest(
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
        yield WholeCampaign(request, pictures)
