"""Spec of a table: how the file of a campaign is read, which rows are taken, and how cells are cleaned.

Everything is optional: what is left out is found in the file, and the reply says what was found.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import BodyModel
from api.schemas.fields import PROSE, Prose

MAX_COLUMN_CHARS = 500
MAX_NAMED = 50  # columns or conditions of one option
MAX_REPLACED = 1000  # values of one map

_FILTER = r"^(html|entities|trim|lower|(words|tokens):[1-9][0-9]{0,3})$"

ColumnName = Annotated[Prose, Field(min_length=1, max_length=MAX_COLUMN_CHARS, json_schema_extra={"pattern": PROSE})]
ColumnNames = Annotated[list[ColumnName], Field(max_length=MAX_NAMED)]
Encoding = Literal[
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "shift_jis",
    "euc_kr",
    "gb18030",
    "big5",
    "mac-roman",
]


def _in_one_list(key: str | list[str]) -> list[str]:
    return [key] if isinstance(key, str) else key


Replaced = Annotated[Prose, Field(max_length=MAX_COLUMN_CHARS)]


class ValueMapBody(BodyModel):
    """Values that are replaced, whatever their case; other values stay."""

    map: dict[Replaced, Replaced] = Field(
        min_length=1, max_length=MAX_REPLACED, description="old value to new value", examples=[{"rd": "red"}]
    )


Filter = Annotated[str, Field(pattern=_FILTER, max_length=12)] | ValueMapBody
Filters = Annotated[list[Filter], Field(min_length=1, max_length=20)]


class TableBody(BodyModel):
    """How the file is read. Names of columns are exact, but for spaces around them."""

    delimiter: Literal[",", ";", "\t", "|"] | None = Field(None, description="between the cells; left out: found")
    encoding: Encoding | None = Field(None, description="of a CSV file without a byte order mark; left out: found")
    sheet: str = Field("", max_length=100, description="of a workbook; left out: the first that holds anything")
    key: Annotated[ColumnName | ColumnNames, AfterValidator(_in_one_list)] = Field(
        [],
        description="column that identifies a row, or several, joined by '-'; left out: `custom_id` or `id`, else the"
        " number of the row",
        examples=["Variant SKU", ["Handle", "Option1 Value"]],
    )
    fill_down: ColumnNames = Field(
        [], description="columns whose empty cells take the value of the row above", examples=[["Title", "Status"]]
    )
    group: ColumnName | Literal[""] = Field(
        "", description="column that is the same for the rows of one product; `fill_down` ends where it changes"
    )
    where: ColumnNames = Field(
        [],
        description="rows to take, after `fill_down`; all conditions hold: `Size` (not empty), `!Size` (empty),"
        " `Status=active|draft` (one of them), `Status!=draft` (none of them), whatever the case",
        examples=[["Option1 Value", "Status=active"]],
    )
    clean: dict[ColumnName, Filters] = Field(
        {},
        max_length=MAX_NAMED,
        description="filters by column, in order: html, entities, trim, lower, words:20, tokens:20, or a map",
        examples=[{"Body (HTML)": ["html", "words:20"], "Color": [{"map": {"rd": "red"}}]}],
    )
    ignore_columns: ColumnNames = Field(
        [], description="columns that are not ours though they are named so, such as the width of a product"
    )
    accept: list[Literal["error_value"]] = Field(
        [], max_length=1, description="what would be an error and is meant: error_value, such as `None` as a word"
    )
