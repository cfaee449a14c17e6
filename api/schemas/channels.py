"""Channels as they are sent: a preset's name, or the fields of a file with a preset below them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator

from api.edge.problems import quoted
from api.schemas.base import BodyModel, Page, ReplyModel
from api.schemas.fields import Line
from policy.marks.channels.channel import (
    FITS,
    FORMATS,
    GRAVITIES,
    MIN_BYTES,
    MIN_LABEL_SIZE,
    MIN_QUALITY,
    POSITIONS,
    Channel,
    LabelStyle,
    label_texts,
    presets,
)
from policy.marks.renditions import MASK, RENDITIONS
from workers.delivery.file_names import MAX_TEMPLATE_CHARS

MIN_SIDE, MAX_SIDE = 64, 8192  # what can be marked
MAX_CHANNELS = 12
_NAME = "^[a-z0-9][a-z0-9_-]{0,40}$"
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
_COLOUR = re.compile("#[0-9a-f]{6}", re.IGNORECASE)
_EXAMPLE: dict[str, JsonValue] = {
    "name": "shop",
    "size": [1200, 1500],
    "fit": "pad",
    "background": "#ffffff",
    "format": "jpeg",
    "max_bytes": 400_000,
    "file": "{sku}.{channel}.jpg",
    "label": {"position": "bottom-right", "language": "de"},
}


def _colour(text: str) -> str:
    if not _COLOUR.fullmatch(text):
        raise ValueError(f"{quoted(text)} is no colour; write it like #ffffff")
    return text


class LabelBody(BodyModel):
    """A visible label. Its words are those of the language and of what is declared."""

    position: Literal[POSITIONS] = Field("bottom-right", description="corner of the picture")  # type: ignore[valid-type]
    size: float = Field(0.06, ge=MIN_LABEL_SIZE, le=0.2, description="height, as a share of the short side")
    language: str = Field("en", json_schema_extra={"enum": cast(list[JsonValue], sorted(label_texts()))}, max_length=8)
    language_column: Line = Field("", max_length=500, description="column whose cell, if it has one, is the language")

    @model_validator(mode="after")
    def _known(self) -> LabelBody:
        if self.language not in label_texts():
            raise ValueError(f"there is no label in {quoted(self.language)}; there are {', '.join(label_texts())}")
        return self


class ChannelBody(BodyModel):
    """A further file of each image. A field that is left out is the preset's, or its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    preset: str = Field("", json_schema_extra={"enum": ["", *presets()]}, max_length=40)
    name: str = Field("", max_length=41, pattern=f"^$|{_NAME}", description="left out: the preset's name")
    size: list[Side] | None = Field(None, min_length=2, max_length=2, description="width and height in pixels")
    fit: Literal[FITS] | None = Field(  # type: ignore[valid-type]
        None, description="cover: fill and cut; contain: lie within, no ground; pad: lie within, on the background"
    )
    gravity: Literal[GRAVITIES] | None = Field(  # type: ignore[valid-type]
        None, description="what stays inside when `cover` cuts; product: what stands out from the ground"
    )
    background: Annotated[str, AfterValidator(_colour)] | None = Field(None, max_length=7, examples=["#ffffff"])
    format: Literal[tuple(FORMATS)] | None = None  # type: ignore[valid-type]
    quality: int | None = Field(None, ge=MIN_QUALITY, le=100, description="of jpeg, webp and avif")
    max_bytes: int | None = Field(None, ge=MIN_BYTES, le=100_000_000, description="the quality falls until it fits")
    file: Line = Field("", max_length=MAX_TEMPLATE_CHARS, description="name of the file, as `file` of the request")
    label: LabelBody | None = Field(None, description="a visible label; left out: none")

    @model_validator(mode="after")
    def _complete(self) -> ChannelBody:
        if self.preset and self.preset not in presets():
            raise ValueError(f"there is no preset {quoted(self.preset)}; there are {', '.join(presets())}")
        name = self.name or self.preset
        if not name:
            raise ValueError("a channel has a name or a preset")
        if name in (*RENDITIONS, MASK):
            raise ValueError(f"{quoted(name)} is the name of a rendition; choose another")
        if not self.preset and self.size is None:
            raise ValueError(f"the channel {quoted(name)} has no size")
        made = self.channel()
        if made.format == "png" and (made.quality or made.max_bytes):
            raise ValueError(f"the channel {quoted(name)} is PNG, which has no quality; choose jpeg, webp or avif")
        return self

    def channel(self) -> Channel:
        below = {key: value for key, value in presets().get(self.preset, {}).items() if key != "about"}
        said: dict[str, Any] = {"name": self.name or self.preset, "file": self.file}
        for field in ("fit", "gravity", "format", "quality", "max_bytes"):
            if (value := getattr(self, field)) is not None:
                said[field] = value
        if self.size:
            said["width"], said["height"] = self.size
        if self.background:
            said["background"] = tuple(bytes.fromhex(self.background[1:]))
        label = LabelStyle(**self.label.model_dump()) if self.label else None
        made = Channel.from_json({**below, **said})
        return Channel(**{**{name: getattr(made, name) for name in made.__slots__}, "label": label})


ChannelName = Annotated[str, Field(max_length=40, json_schema_extra={"enum": list(presets())})]


def channels_of(asked: list[ChannelBody | str]) -> tuple[Channel, ...]:
    """The channels in the order in which they were asked for. A bare name is a preset's."""
    return tuple((ChannelBody(preset=one) if isinstance(one, str) else one).channel() for one in asked)


def checked(asked: list[ChannelBody | str]) -> list[ChannelBody | str]:
    """The same channels. Raises ValueError for an unknown preset, and for a name that is there twice."""
    for one in asked:
        if isinstance(one, str) and one not in presets():
            raise ValueError(f"there is no preset {quoted(one)}; there are {', '.join(presets())}")
    names = [channel.name for channel in channels_of(asked)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two channels have the name {quoted(sorted(twice)[0])}")
    return asked


Channels = Annotated[
    list[ChannelBody | ChannelName], Field(max_length=MAX_CHANNELS, strict=False), AfterValidator(checked)
]


class ChannelPresetReply(ReplyModel):
    """A channel that a request may ask for by its name alone."""

    name: str = Field(examples=["marketplace-main"])
    about: str = Field(description="for what place it is")
    size: list[int] = Field(description="width and height in pixels", examples=[[2000, 2000]])
    fit: str = Field(examples=["pad"])
    gravity: str = Field(examples=["product"])
    background: str = Field(description="what `pad` fills with", examples=["#ffffff"])
    format: str = Field(examples=["jpeg"])
    quality: int | None = Field(description="null: that of the format")
    max_bytes: int | None = Field(description="null: no limit")

    @classmethod
    def of(cls, name: str) -> ChannelPresetReply:
        made = ChannelBody(preset=name).channel()
        return cls(
            name=name,
            about=str(presets()[name]["about"]),
            size=[made.width, made.height],
            fit=made.fit,
            gravity=made.gravity,
            background=f"#{bytes(made.background).hex()}",
            format=made.format,
            quality=made.quality,
            max_bytes=made.max_bytes,
        )


class ChannelsReply(Page[ChannelPresetReply]):
    """The presets, and the languages of the visible label."""

    label_languages: list[str] = Field(description="values of `label.language`", examples=[["en", "de"]])
