"""Control of a request as it is asked for and answered: what changes while it runs, and which part is cancelled."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, QueryModel, ReplyModel
from api.schemas.budgets import LimitsBody
from api.schemas.fields import Instant, Line, Prose
from api.schemas.requests import CustomId, Turn
from api.schemas.results import FileName
from workers.states import ITEM_OPEN, Priority

MAX_SELECTED = 1_000  # entries of one criterion
MAX_WAIT_SECONDS = 20  # below what proxies allow
MAX_CHANNELS = 32  # named at once
MAX_COLUMNS = 16  # named at once
MAX_CELL_CHARS = 4_000
MAX_ROW = 2**31 - 1  # what the database's integer holds

_PATCH: list[JsonValue] = [{"priority": "bulk"}, {"budget": {"images": 500}}]
_PART: list[JsonValue] = [{"rows": [[101, 200]]}, {"columns": {"country": ["DE", "AT"]}}]

RowNumber = Annotated[int, Field(ge=1, le=MAX_ROW)]


def _ordered_range(rows: list[int]) -> list[int]:
    if rows[0] > rows[1]:
        raise ValueError("write the first row and the last, in that order")
    return rows


ColumnName = Annotated[Line, Field(min_length=1, max_length=100)]
Cell = Annotated[Prose, Field(max_length=MAX_CELL_CHARS)]
Rows = Annotated[list[RowNumber], Field(min_length=2, max_length=2), AfterValidator(_ordered_range)]


class RestQuery(QueryModel):
    """How long the reply may wait until nothing more is made of the request."""

    wait: float = Field(0.0, ge=0, le=MAX_WAIT_SECONDS, description="seconds to wait")


class RequestPatchBody(BodyModel):
    """What changes of a request that is not over; a field that is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": _PATCH})

    priority: Turn = Field(Priority.STANDARD, description="its class of turns")
    deadline: Instant | None = Field(None, description="in the future; null takes the deadline away")
    budget: LimitsBody | None = Field(
        None, description="of this request alone; null takes it away. One that was paused for its budget goes on"
    )
    at_deadline: Literal["pause", "expire"] = Field(
        "pause", description="pause: what waits goes on when somebody resumes it; expire: it is cancelled"
    )

    def changes(self) -> dict[str, Any]:
        """What was sent, by name, but for the budget."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"budget"}}


class RetryBody(BodyModel):
    """Which failed items are made again. Each criterion that is given must hold; without any, all of them are."""

    new_seed: bool = Field(False, description="from another seed each; false: from the same one")
    rows: list[Rows] = Field([], max_length=MAX_SELECTED, description="first and last data row, both included")
    custom_ids: list[CustomId] = Field([], max_length=MAX_SELECTED)


class RetriedReply(ReplyModel):
    """Repeating a retry answers 0 items while none of them failed again."""

    items: int = Field(description="that are made again")
    round: int = Field(description="of the request; 1 is the first retry, 0: there was none")


class CancelBody(BodyModel):
    """Which open items are cancelled. Each criterion that is given must hold; without any, all of them are."""

    model_config = ConfigDict(json_schema_extra={"examples": _PART})

    states: list[Literal["pending", "planned"]] = Field([], max_length=len(ITEM_OPEN))
    rows: list[Rows] = Field([], max_length=MAX_SELECTED, description="first and last data row, both included")
    custom_ids: list[CustomId] = Field([], max_length=MAX_SELECTED)
    variants: list[Annotated[int, Field(ge=0, le=MAX_ROW)]] = Field([], max_length=MAX_SELECTED)
    channels: list[FileName] = Field(
        [], max_length=MAX_CHANNELS, description="images of which one of these files is made, by channel or rendition"
    )
    columns: dict[ColumnName, Annotated[list[Cell], Field(min_length=1, max_length=MAX_SELECTED)]] = Field(
        {}, max_length=MAX_COLUMNS, description="rows whose cell in this column is one of these, letter for letter"
    )
