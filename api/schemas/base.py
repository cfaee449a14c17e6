"""Base classes of what is sent and answered, and pages of lists.

A name says what a model is: what is sent as JSON ends in Body, what stands in a URL in Query, and what is answered in
Reply.
"""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

MAX_PAGE = 500

# What api/edge/paging.py gives out: 17 bytes that begin with "c", or 9 that begin with "n" and a number below 2^63.
_CURSOR = "^(Y[w-z0-9_-][A-Za-z0-9_-]{21})?$"
_NUMBERED_CURSOR = "^(b[g-n][A-Za-z0-9_-]{10})?$"

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")

T = TypeVar("T")


class BodyModel(BaseModel):
    """JSON that is sent. Unknown fields are refused, and a string is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class QueryModel(BaseModel):
    """The query of a URL. Unknown parameters are refused, not ignored.

    A whole number is digits, perhaps behind a minus: Python's own spellings (`1_0`, spaces around) are none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _in_digits(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name or ""].annotation
        of_whole_numbers = annotation is int or int in get_args(annotation)
        if of_whole_numbers and isinstance(value, str) and not _WHOLE_NUMBER.fullmatch(value):
            raise PydanticKnownError("int_parsing")
        return value


class ReplyModel(BaseModel):
    """What is answered. Only the fields listed in a reply leave, whatever the tables hold."""

    model_config = ConfigDict(frozen=True)


class NoQuery(QueryModel):
    """An address that takes no parameters."""


class PageQuery(QueryModel):
    """Which page of a list."""

    limit: int = Field(100, ge=1, le=MAX_PAGE, description="entries on a page")
    cursor: str = Field(
        "", max_length=64, json_schema_extra={"pattern": _CURSOR}, description="next_cursor of the page before"
    )


class NumberedPageQuery(QueryModel):
    """Which page of a list whose entries are numbered."""

    limit: int = Field(100, ge=1, le=MAX_PAGE, description="entries on a page")
    cursor: str = Field(
        "", max_length=64, json_schema_extra={"pattern": _NUMBERED_CURSOR}, description="next_cursor of the page before"
    )


class Page(ReplyModel, Generic[T]):
    """A page of a list; `next_cursor` is null on the last one."""

    data: list[T]
    next_cursor: str | None
