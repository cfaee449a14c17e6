"""Problem details as they are answered (RFC 9457)."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import ReplyModel

_PROBLEM: JsonDict = {
    "type": "urn:presswork:problem:invalid_campaign",
    "title": "The campaign has errors; nothing was stored",
    "status": 422,
    "detail": "2 errors in 24 rows read.",
    "code": "invalid_campaign",
    "instance": "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
    "error": {
        "message": "2 errors in 24 rows read.",
        "type": "invalid_request_error",
        "param": "color",
        "code": "invalid_campaign",
    },
    "errors": [
        {
            "code": "unknown_placeholder",
            "message": "the template asks for {color}, which is no column",
            "remedy": "The columns are: object, colour, width. Did you mean 'colour'?",
            "column": "color",
        },
        {
            "code": "model_limit",
            "message": "10001 is outside 64 to 256, the sides studio makes",
            "remedy": "studio is at its best at 128 x 128; leave the size out to get that.",
            "row": 7,
            "line": 8,
            "column": "width",
        },
    ],
}


class ComplaintReply(ReplyModel):
    """One thing to put right, and where: row, line and column of a spreadsheet, or a field. One cause is said once."""

    code: str
    message: str
    remedy: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    field: str | None = None
    rows: list[int] | None = Field(None, description="the first rows that it concerns, where there are several")
    count: int | None = Field(None, description="how many rows it concerns, where there are several")


class ErrorReply(ReplyModel):
    """A problem as clients of the OpenAI API read it. Its `code` is that of the problem."""

    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="the first field or column that is wrong")
    code: str


class ProblemReply(ReplyModel):
    """RFC 9457 problem details. `code` is stable; `instance` is the id under which the answer was logged."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    type: str = Field(examples=["urn:presswork:problem:invalid_campaign"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    code: str = Field(examples=["invalid_campaign"])
    instance: str
    error: ErrorReply
    errors: list[ComplaintReply] | None = None
