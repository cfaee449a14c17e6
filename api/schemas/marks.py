"""Marks for pictures that another tool made, as they are asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, cast

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from api.schemas.base import BodyModel
from api.schemas.budgets import LimitsBody
from api.schemas.channels import Channels, channels_of
from api.schemas.fields import Instant, Line
from api.schemas.inputs import MAX_FILE_NAME_CHARS
from api.schemas.requests import MAX_NUMBER, CustomId, FileTemplateText, Labels, Name, Picture, Renditions, Turn
from api.schemas.targets import DeliverBody
from policy.marks.provenance.origin import SOURCE_TYPES, StatedOrigin, stated
from policy.marks.renditions import DEFAULT
from workers.states import Priority

MAX_PICTURES = 2000  # of one call
MAX_TOOL_CHARS = 100
_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
_MARKS: dict[str, JsonValue] = {
    "name": "banners of the agency",
    "origin": {"declaration": "generated", "tool": "Otherwise 7"},
    "pictures": [{"input": _ID, "custom_id": "banner-1"}],
}
_TYPES = sorted({one for kinds in SOURCE_TYPES.values() for one in kinds})


def _with_none(kinds: tuple[str, ...]) -> list[JsonValue]:
    return ["", *(kind for kind in kinds if kind)]


_FITTING: JsonDict = {  # which source types go with a declaration
    "oneOf": [
        {"properties": {"declaration": {"const": said}, "source_type": {"enum": _with_none(kinds)}}}
        for said, kinds in SOURCE_TYPES.items()
    ]
}


class OriginBody(BodyModel):
    """What you state of the pictures. It is recorded as stated, with your key, and nobody checks it."""

    model_config = ConfigDict(json_schema_extra=_FITTING)

    declaration: Literal["generated", "modified", "none"] = Field(
        description="generated: a model made them; modified: a model changed them; none: neither"
    )
    source_type: str = Field(
        "",
        json_schema_extra={"enum": cast(list[JsonValue], _TYPES)},
        description="IPTC digital source type that goes with it; left out: the usual one of what is declared",
    )
    tool: Annotated[Line, Field(max_length=MAX_TOOL_CHARS)] = Field(
        "", description="what made them, in your words; it stands in the files for anybody to read"
    )

    @model_validator(mode="after")
    def _fits(self) -> OriginBody:
        self.stated()
        return self

    def stated(self) -> StatedOrigin:
        """Raises ValueError for a source type that does not go with the declaration."""
        return stated(self.declaration, self.source_type, self.tool)


class MarkedPictureBody(BodyModel):
    """One picture, by its input."""

    input: Picture = Field(description="id of an input; send it with POST /v1/inputs first")
    custom_id: CustomId | None = Field(
        None, description="your own name for it; left out: the name of its file, without the ending"
    )
    name: Annotated[Line, Field(max_length=MAX_FILE_NAME_CHARS)] = Field(
        "", description="of its file, for `{file}`; left out: that of its input"
    )


class MarksBody(BodyModel):
    """Pictures that another tool made, and which files of them are wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MARKS]})

    name: Name = Field("", description="for people; shown in lists")
    origin: OriginBody
    pictures: list[MarkedPictureBody] = Field(min_length=1, max_length=MAX_PICTURES)
    renditions: Renditions = Field(
        DEFAULT, description="files of each picture, in full size; the original PNG is always among them"
    )
    channels: Channels = Field([], description="further files of each picture: names of presets, or their fields")
    file: FileTemplateText = Field(
        "", description="name of each file; left out: `{custom_id}.{ext}`; `{file}` is the name of its file"
    )
    deliver: DeliverBody | None = Field(None, description="deliver the files to a bucket of your own")
    metadata: Labels = Field({}, description="your own labels, kept and never read by us")
    priority: Turn = Field(Priority.STANDARD, description="its class of turns")
    budget: LimitsBody | None = Field(None, description="what this request may take")
    deadline: Instant | None = Field(None, description="in the future; what is not marked by then is not begun")
    at_deadline: Literal["pause", "expire"] = Field("pause", description="pause: what waits goes on when resumed")
    max_images: int | None = Field(None, ge=1, le=MAX_NUMBER, description="refuse the request whole above these")

    publish_prompt: ClassVar[bool] = False  # there is none
    variants: ClassVar[int] = 1
    reuse: ClassVar[Literal["never"]] = "never"  # what was stated may differ

    @model_validator(mode="after")
    def _nothing_to_label(self) -> MarksBody:
        if self.origin.declaration == "none" and any(channel.label for channel in channels_of(self.channels)):
            raise ValueError("a label says that a model made or changed a picture; leave it out, or declare that")
        return self
