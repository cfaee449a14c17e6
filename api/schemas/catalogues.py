"""Catalogue as it is written: `catalogue.yaml`, the file in which a team says how the pictures of its goods are made.

Each field has one meaning for the file, the API and the JSON schema that editors read. What a named shape of feed knows
fills the gaps, and nothing that is written is dropped in silence.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, cast

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from api.edge.problems import quoted
from api.schemas.base import BodyModel
from api.schemas.fields import Line
from api.schemas.pilots import PilotBody
from api.schemas.requests import OptionsBody, SomeText
from api.schemas.tables import ColumnName, ColumnNames, TableBody
from api.schemas.targets import DeliverBody
from api.templates import Template, TemplateInvalid
from workers.errors import AddressRefused
from workers.jobs.catalogue.timetable import MAX_CRON_CHARS, MAX_JITTER_MINUTES, MIN_MINUTES, cron_error, is_zone
from workers.outbound.places import S3_SCHEME, object_place
from workers.outbound.urls import MAX_URL_CHARS, check_url
from workers.sheets.shapes import FeedShape, shapes

CATALOGUE_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_NAME_SCHEMA: JsonDict = {"pattern": CATALOGUE_NAME, "maxLength": 63}
_SAID_ELSEWHERE = {
    "name": "the catalogue has one",
    "image": "`picture` names the column of source pictures",
    "max_images": "`limits.images` says it",
    "deadline": "each run has its own time",
    "deliver": "`deliver` of the catalogue names the target of what is live",
}
_WITHOUT_PICTURE = (None, "text-to-image", "unconditional", "class-conditional")
_EXAMPLE: dict[str, JsonValue] = {
    "name": "garden-chairs",
    "source": {"shape": "google", "url": "https://shop.example/feeds/chairs.xml"},
    "make": {"template": "{title}, {color|natural}, on a light ground", "variants": 1},
    "limits": {"changed_percent": 20, "rows_percent": 90},
}


def _without_those(schema: JsonDict) -> None:
    """The fields of `make`: what is said elsewhere is none of them."""
    properties = cast(JsonDict, schema["properties"])
    for name in _SAID_ELSEWHERE:
        del properties[name]


def _public(url: str) -> str:
    if url:
        try:
            object_place(url) if url.startswith(S3_SCHEME) else check_url(url, loopback=True)
        except AddressRefused as refused:
            raise ValueError(f"{refused}") from refused
    return url


def _parsed(template: str) -> str:
    try:
        Template.parse(template)
    except TemplateInvalid as error:
        raise ValueError(f"{error}. {error.remedy}".rstrip(".")) from error
    return template


def _due(cron: str) -> str:
    if wrong := cron_error(cron):
        raise ValueError(f"{quoted(cron)} is no schedule: {wrong}; write, for example, 30 4 * * *")
    return cron


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"{quoted(name)} is no time zone; write one such as Europe/Berlin")
    return name


def _named(name: str) -> str:
    if not re.fullmatch(CATALOGUE_NAME, name):
        raise ValueError("a name has small letters, digits and hyphens, at most 63, such as garden-chairs")
    return name


class SourceBody(BodyModel):
    """Where the rows come from."""

    shape: Literal[("plain", *shapes())] = Field(  # type: ignore[valid-type]  # names of a data file
        "plain", description="layout of the feed, which fills what is not written: " + ", ".join(shapes())
    )
    url: Annotated[Line, Field(max_length=MAX_URL_CHARS), AfterValidator(_public)] = Field(
        "",
        description="public https address of the feed, or s3://BUCKET/PATH of a registered source; left out: the file"
        " is sent with each plan",
    )


class MakeBody(OptionsBody):
    """What is drawn for each row, and the files that are made of it. Seeds come from the key unless one is given."""

    model_config = ConfigDict(json_schema_extra=_without_those)

    template: Annotated[SomeText, AfterValidator(_parsed)] = Field(
        description="prompt of a row; {column} is replaced by its value, as in a campaign"
    )

    @model_validator(mode="after")
    def _of_a_catalogue(self) -> Self:
        for name, why in _SAID_ELSEWHERE.items():
            if name in self.model_fields_set:
                raise ValueError(f"`{name}` is not said here: {why}")
        return self


class CatalogueLimitsBody(BodyModel):
    """Where a plan stops and asks a person, instead of being applied."""

    changed_percent: int = Field(
        20, ge=0, le=100, description="changed and missing rows, of those that were there; more of them pause"
    )
    rows_percent: int = Field(
        90, ge=0, le=100, description="rows of the feed, of those of the last run; fewer of them pause"
    )
    blank_percent: int = Field(
        5, ge=0, le=100, description="rows in which a watched column lost its value, of those that had one; more pause"
    )
    images: int | None = Field(None, ge=1, le=1_000_000, description="images of a run; more pause")


class CatalogueDeliverBody(DeliverBody):
    """Where what is live is brought, with its manifest and the feed."""

    address: Annotated[Line, Field(max_length=MAX_URL_CHARS)] = Field(
        "",
        description="put before the place of each object in the delivered feed.csv; left out: the bare place",
        examples=["https://cdn.shop.example/chairs/"],
    )


class ScheduleBody(BodyModel):
    """When the catalogue runs by itself. `presswork catalogue schedule` starts it; a plan never does."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": "30 4 * * *", "zone": "Europe/Berlin"}]})

    cron: Annotated[Line, Field(max_length=MAX_CRON_CHARS), AfterValidator(_due)] = Field(
        description="minute, hour, day of month, month and day of week, as cron has them; at most every"
        f" {MIN_MINUTES} minutes"
    )
    zone: Annotated[Line, Field(max_length=64), AfterValidator(_zone)] = Field(
        "UTC", description="time zone of the IANA database, such as Europe/Berlin"
    )
    jitter_minutes: int = Field(
        0, ge=0, le=MAX_JITTER_MINUTES, description="a run begins up to so much later, so that not all begin at once"
    )
    apply: Literal["never", "within-limits", "always"] = Field(
        "within-limits",
        description="never: a plan is made, and a person applies it; within-limits: it is applied unless a safeguard"
        " asks; always: also then",
    )


class CatalogueBody(TableBody):
    """A catalogue: its feed, what is drawn for each row, and when a person is asked."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[str, AfterValidator(_named), Field(json_schema_extra=_NAME_SCHEMA)] = Field(
        description="small letters, digits and hyphens; the same name is the same catalogue"
    )
    source: SourceBody = Field(SourceBody(), description="where the rows come from")
    picture: ColumnName | Literal[""] = Field(
        "",
        description="column that names the source picture: an https or s3:// address, the id of an input, or a file of"
        " the ZIP that is sent along; left out: the shape's, where the task needs one",
    )
    remove: ColumnName | Literal[""] = Field(
        "",
        description="column that marks rows whose pictures leave the catalogue: any value but 0, no or false does;"
        " or a condition as in `where`, such as status=discontinued. A row that is missing never removes anything",
    )
    make: MakeBody = Field(description="what is drawn")
    watch: ColumnNames = Field(
        [],
        description="columns whose change makes a picture anew; left out: those of the template. The picture, the"
        " model and the options always count; a price or a stock that the template does not ask for never does",
    )
    limits: CatalogueLimitsBody = Field(CatalogueLimitsBody(), description="where a plan stops and asks")
    pilot: PilotBody | None = Field(
        None, description="sample of the first run that a person accepts; left out: the default sample"
    )
    deliver: CatalogueDeliverBody | None = Field(
        None,
        description="bucket of your own to which what is live is brought, with its manifest; `prefix` left out: the"
        " name of the catalogue",
    )
    schedule: ScheduleBody | None = Field(None, description="when it runs by itself; left out: never")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.keys:
            raise ValueError("`key` is missing: without a column that identifies a row, no change can be told")
        if self.schedule and not self.source.url:
            raise ValueError("`schedule` needs `source.url`: a run that begins by itself is sent no feed")
        named = Template.parse(self.make.template).candidates
        for column in self.watch:
            if column not in named:
                raise ValueError(
                    f"`watch` names {quoted(column)}, which the template does not ask for: it decides no picture"
                )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that identify a row."""
        return tuple(self.key) or self.shape.key

    @property
    def shape(self) -> FeedShape:
        """What is known of the feed by its kind."""
        return shapes().get(self.source.shape, FeedShape(""))

    @property
    def picture_column(self) -> str:
        """The column of source pictures; "" where the pictures are drawn from the text alone."""
        of_shape = "" if self.make.task in _WITHOUT_PICTURE else self.shape.picture
        return self.picture or of_shape
