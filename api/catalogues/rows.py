"""Rows to make of a catalogue: checked, rendered and screened by the reader of campaigns, one row at a time.

The columns are those that the catalogue asks for, already clean, with the key and the input of the picture in front. So
no column of a shop is ever taken for one of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from api.catalogues.feed import FeedRow
from api.edge.dependencies import Parts
from api.edge.problems import Complaint
from api.schemas.catalogues import CatalogueBody
from api.schemas.pilots import DEFAULT_IMAGES, PilotBody
from api.schemas.requests import CampaignBody
from api.submission.checked import CheckedRow
from api.submission.file_naming import FileNames, LabelLanguages, template_complaints
from api.submission.findings import SubmissionFindings
from api.submission.pictures.rows import RowPictures
from api.submission.recipes import RecipeBook, RecipeBooks
from api.submission.table.cleaning import Cleaning
from api.submission.table.columns import Columns
from api.submission.table.rows import RowPlan, RowReader
from api.submission.table.selection import RowSelection
from api.submission.tenant_models import choose_model, tenant_models
from api.templates import Template
from policy.rulebook.scope import Context
from workers.sampling.families.family import CONTROL
from workers.sheets.sheet import SheetRow

_KEY = "custom_id"
_FIRST_SHARE = 4  # the first run's sample is one image in so many, up to the default


class CatalogueModel:
    """The model that a catalogue names, as this tenant may use it now. Raises Problem."""

    def __init__(self, parts: Parts, tenant: str, spec: CatalogueBody) -> None:
        self.registry = tenant_models(parts, tenant)
        self.card = choose_model(self.registry, spec.make.model)
        self.book = RecipeBook(self.card, parts.settings, self.registry)
        self.books = RecipeBooks(self.book, parts.settings, self.registry)


class CatalogueRows:
    """Makes checked rows. One thread; remembers names of files, so that each is given once."""

    def __init__(
        self, parts: Parts, tenant: str, spec: CatalogueBody, model: CatalogueModel, names: Sequence[str]
    ) -> None:
        self.asked = campaign_of(spec)
        role = "control_image" if spec.make.task == CONTROL else "image"
        own = (_KEY, *((role,) if spec.picture_column else ()))
        self._has_picture = len(own) > 1
        header = (*own, *names)
        self.pictures = RowPictures(parts, tenant, None)
        self.found = SubmissionFindings(model.book, parts.rules, Context(tenant, spec.name, model.card.name))
        places = {name: place for place, name in enumerate(header)}  # a shop's column of one of our names wins
        bound = Template.parse(spec.make.template).bind(places)
        columns = Columns(header, places, {name: place for place, name in enumerate(own)})
        idle = RowSelection(places, fill_down=(), group="", where=())
        plan = RowPlan(columns, bound, idle, Cleaning({}, places, None), (0,), True, len(header))
        self._book = model.book
        self._reader = RowReader(
            self.asked,
            model.books,
            plan,
            self.found.notices,
            settings=parts.settings,
            rules=parts.rules,
            context=Context(tenant, spec.name, model.card.name),
            pictures=self.pictures,
        )
        unnameable = list(template_complaints(self.asked, header))
        self._languages = LabelLanguages(self.asked, header)
        self.complaints = [*model.book.complaints(self.asked), *unnameable, *self._languages.complaints]
        self.found.carried_columns = self._reader.carried_columns
        self._names = None if unnameable else FileNames(self.asked, self._reader.carried_columns)

    def read(self, row: FeedRow, input_id: str | None) -> CheckedRow | Complaint:
        """The row, or the first thing that is wrong with it."""
        cells = (row.key, *((input_id or "",) if self._has_picture else ()), *row.cells)
        read = self._reader.read(SheetRow(row.number, row.line, cells))
        if isinstance(read, list):
            return read[0]
        if read is None:
            raise ValueError("a row without a condition is always taken")
        if wrong := self._languages.of_row(read):
            return wrong[0]
        read = replace(read, texts_read=self._book.texts_read(read.texts, read.options.prompt_syntax))
        suffixes = self._names.suffixes(read) if self._names else ()
        return replace(read, file_suffixes=suffixes) if any(suffixes) else read


def campaign_of(spec: CatalogueBody) -> CampaignBody:
    """What a run asks for, as a campaign."""
    make = spec.make
    said = {name: getattr(make, name) for name in make.model_fields_set}
    return CampaignBody.model_construct(**{**CampaignBody(template=make.template).__dict__, **said, "name": spec.name})


def pilot_of(spec: CatalogueBody, images: int, *, is_first: bool) -> PilotBody | None:
    """The sample of the first run, which a person accepts: as the file says, else one image in four, up to 50."""
    if not is_first:
        return None
    share = min(DEFAULT_IMAGES, images // _FIRST_SHARE)
    return spec.pilot or (PilotBody(images=share) if share > 1 else None)
