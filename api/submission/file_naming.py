"""File names of a campaign: the templates that the spec gives, and what tells names apart that would be equal.

Names are compared without case and in one normal form, over the whole request, in the order of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from api.edge.problems import Complaint, did_you_mean, quoted
from api.schemas.channels import channels_of
from api.schemas.requests import CampaignBody
from api.submission.checked import CheckedRow
from policy.marks.channels.channel import label_texts
from policy.marks.renditions import RENDITIONS
from workers.delivery.file_names import (
    DEFAULT_TEMPLATE,
    EXTENSIONS,
    OWN,
    FileTemplate,
    FileTemplateInvalid,
    distinct,
    file_name,
)


class NamesFiles(Protocol):
    """A request, as far as the names of its files go."""

    @property
    def file(self) -> str: ...
    @property
    def variants(self) -> int: ...
    @property
    def channels(self) -> list[Any]: ...
    @property
    def renditions(self) -> tuple[str, ...]: ...


_OF_VARIANTS = "{custom_id}-{variant}.{ext}"


def file_templates(asked: NamesFiles) -> dict[str, str]:
    """The template of each file's name; "" is of every file that has none of its own."""
    default = asked.file or (DEFAULT_TEMPLATE if asked.variants == 1 else _OF_VARIANTS)
    of_variants = "" if asked.variants == 1 else "-{variant}"
    of_channels = asked.file or f"{{custom_id}}{of_variants}.{{channel}}.{{ext}}"
    return {"": default} | {channel.name: channel.file or of_channels for channel in channels_of(asked.channels)}


def with_variants(asked: CampaignBody) -> CampaignBody:
    """The spec of a file whose rows have variants of their own: without a template, names tell variants apart."""
    return asked if asked.file else asked.model_copy(update={"file": _OF_VARIANTS})


def columns_named(asked: NamesFiles) -> Iterator[str]:
    """Names that the templates ask for. A template that breaks its grammar is complained about elsewhere."""
    for _, text in _asked(asked):
        with suppress(FileTemplateInvalid):
            yield from FileTemplate.parse(text).names
    for channel in channels_of(asked.channels):
        if channel.label:
            yield channel.label.language_column


def template_complaints(asked: NamesFiles, header: Sequence[str]) -> Iterator[Complaint]:
    """What is wrong with the templates: their grammar, or a placeholder that is no column and none of ours."""
    for field, text in _asked(asked):
        try:
            template = FileTemplate.parse(text)
        except FileTemplateInvalid as error:
            yield Complaint("file_name", str(error), error.remedy, field=field)
            continue
        known = (*OWN, *header)
        for name in template.names:
            if name not in known:
                message = f"{quoted(text)} asks for {{{name}}}, which is no column"
                remedy = f"Beside columns there are {', '.join(OWN)}.{did_you_mean(name, known)}"
                yield Complaint("unknown_placeholder", message, remedy, field=field)


def _asked(asked: NamesFiles) -> Iterator[tuple[str, str]]:
    if asked.file:
        yield "file", asked.file
    for n, channel in enumerate(channels_of(asked.channels)):
        if channel.file:
            yield f"channels.{n}.file", channel.file


class FileNames:
    """Gives each image of a campaign its suffix, row after row. Memory is 12 bytes and some for each name."""

    def __init__(self, spec: NamesFiles, header: Sequence[str]) -> None:
        templates = file_templates(spec)
        self._asked = tuple(spec.renditions)
        self._renditions = {
            name: (FileTemplate.parse(templates.get(name) or templates[""]), name, EXTENSIONS[media_type])
            for name, media_type in RENDITIONS.items()
        }
        self._channels = [
            (FileTemplate.parse(templates[channel.name]), channel.name, EXTENSIONS[channel.media_type])
            for channel in channels_of(spec.channels)
        ]
        named = (*self._renditions.values(), *self._channels)
        asked = {name for template, _, _ in named for name in template.names}
        self._columns = [(name, place) for place, name in enumerate(header) if name in asked]
        self._taken: set[bytes] = set()

    def suffixes(self, row: CheckedRow) -> tuple[str, ...]:
        """One a variant, mostly ""; what sets the names of its files apart from those of the rows before."""
        values = self._values(row.number, row.custom_id, row.carried)
        asked = row.own.renditions or self._asked
        return tuple([self._suffix(values, variant, asked) for variant in range(row.own.variants)])

    def of_item(self, number: int, custom_id: str, carried: Sequence[str], variant: int) -> str:
        """The same for one image of a row."""
        return self._suffix(self._values(number, custom_id, carried), variant, self._asked)

    def _values(self, number: int, custom_id: str, carried: Sequence[str]) -> dict[str, str]:
        values = {name: carried[place] for name, place in self._columns if place < len(carried)}
        return values | {"custom_id": custom_id, "row": str(number)}

    def _suffix(self, values: dict[str, str], variant: int, asked: Sequence[str]) -> str:
        values["variant"] = str(variant)
        suffix = ""
        files = [self._renditions[name] for name in asked]
        for template, channel, extension in (*files, *self._channels):
            values["channel"] = channel
            name = file_name(template, values, extension=extension)
            suffix = distinct(name, f"{values['custom_id']}\n{variant}", self._taken) or suffix
        return suffix


class LabelLanguages:
    """The columns that choose the language of a label: they are there, and their cells name languages that we have."""

    def __init__(self, spec: NamesFiles, header: Sequence[str]) -> None:
        asked = [channel.label.language_column for channel in channels_of(spec.channels) if channel.label]
        self._columns = list(dict.fromkeys(filter(None, asked)))
        self._header = tuple(header)

    @property
    def complaints(self) -> list[Complaint]:
        """Of the columns themselves."""
        return [
            Complaint(
                "unknown_placeholder",
                f"a label asks for the column {quoted(name)}, which is not there",
                f"Name a column of the file.{did_you_mean(name, self._header)}",
                field="channels",
            )
            for name in self._columns
            if name not in self._header
        ]

    def of_row(self, row: CheckedRow) -> list[Complaint]:
        """Of one row's cells. An empty cell takes the channel's own language."""
        return self.of_cells(row.number, row.line, row.carried)

    def of_cells(self, number: int, line: int | None, carried: Sequence[str]) -> list[Complaint]:
        """The same of the cells by themselves."""
        if not self._columns:
            return []
        cells = dict(zip(self._header, carried, strict=False))
        return [
            Complaint(
                "label_language",
                f"{quoted(cells[name])} is no language of a label",
                f"Write one of {', '.join(label_texts())}, or leave the cell empty.",
                row=number,
                line=line,
                column=name,
            )
            for name in self._columns
            if cells.get(name, "").strip() and cells[name].strip().lower() not in label_texts()
        ]
