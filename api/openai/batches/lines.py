"""Line of a batch as a checked row: read as POST /v1/images/generations reads its body, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.edge.auth import Caller
from api.edge.bodies import strict_json
from api.edge.dependencies import Parts
from api.edge.errors import domain_problem
from api.edge.problems import Complaint, Problem, quoted
from api.edge.validation import from_validation
from api.openai.asked import FORMATS, single_of
from api.openai.edits import TAKING_A_PICTURE
from api.openai.pictures import inputs_of, pictures_of
from api.openai.spoken import their_name
from api.schemas.batches import EDITS, BatchLineBody
from api.schemas.channels import MAX_CHANNELS, ChannelBody
from api.schemas.images import MAX_URL_CHARS, EditsBody, ImagesBody
from api.submission.checked import CheckedRow
from api.submission.pictures.known import demand_known, known_inputs
from api.submission.recipes import RecipeBook, RecipeBooks
from api.submission.single import check_row, refused_warnings_of
from api.submission.tenant_models import choose_model, tenant_models
from policy.rulebook.scope import Context
from workers.errors import WorkerError
from workers.sampling.cards.registry import ModelCard
from workers.sheets.objects import MAX_LINE_BYTES

MAX_EDIT_BYTES = MAX_URL_CHARS + MAX_LINE_BYTES  # of a line with a picture in it
MAX_LINES = 50_000  # of a batch, as OpenAI documents it
# What an answer repeats of its line, kept as the row's own cells.
_ASKED = (
    *("response_format", "output_format", "quality", "safety_identifier", "user", "output_compression"),
    *("model", "moderation", "style", "background"),
)
FILE = "file"  # the name of the file that the answer gives out
CARRIED = (*_ASKED, FILE)  # batches of earlier versions have the first six
_OTHER_BATCH = "Send them in another batch."

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LineError:
    """Something to put right, at a line; `complaint.field` is the parameter."""

    line: int
    complaint: Complaint

    def to_json(self) -> dict[str, str | int | None]:
        found = self.complaint
        message = f"{found.message}. {found.remedy}"
        return {"code": found.code, "line": self.line, "message": message, "param": found.field}


class BatchLines:
    """Reads the lines of one file, in order; remembers the ids it has seen, and which files of images are asked for."""

    def __init__(self, parts: Parts, caller: Caller, name: str, endpoint: str) -> None:
        self._parts, self._caller, self._tenant, self._name = parts, caller, caller.tenant, name
        self._endpoint = endpoint
        self.most_bytes = MAX_EDIT_BYTES if endpoint == EDITS else MAX_LINE_BYTES  # of a line
        self._models = tenant_models(parts, caller.tenant)
        self.books: RecipeBooks | None = None  # the first line's model is the request's own
        self.renditions: dict[str, None] = {}
        self.channels: dict[str, ChannelBody] = {}  # of lines whose size or quality no rendition has
        self._ids: dict[str, int] = {}
        self._taken: dict[str, str] = {}  # files of pictures -> the inputs that they became

    def read(self, number: int, line: int, raw: bytes) -> CheckedRow | list[LineError]:
        """The row of this number, screened. `line` is the physical one."""
        try:
            return self._row(number, line, raw)
        except _Wrong as wrong:
            return [LineError(line, complaint) for complaint in wrong.complaints]

    def _row(self, number: int, line: int, raw: bytes) -> CheckedRow:
        asked = self._asked(raw)
        first = self._ids.setdefault(asked.custom_id, line)
        if first != line:
            message = f"{quoted(asked.custom_id)} is also the custom_id of line {first}"
            raise _Wrong([Complaint("duplicate_custom_id", message, "Give each its own.", field="custom_id")])
        if asked.url != self._endpoint:
            message = f"the batch is for {self._endpoint}, this line for {quoted(asked.url)}"
            raise _Wrong([Complaint("batch_url", message, "Send lines of one endpoint.", field="url")])
        body = _validated(EditsBody if self._endpoint == EDITS else ImagesBody, asked.body)
        if body.stream:
            message = "a batch has no streams"
            raise _Wrong([Complaint("not_available", message, "Leave it out.", field="stream")])
        return self._checked(asked.custom_id, body, number, line)

    def _asked(self, raw: bytes) -> BatchLineBody:
        if len(raw) > self.most_bytes:
            message = f"the line is longer than {self.most_bytes:,} bytes"
            raise _Wrong([Complaint("line_too_long", message, "Shorten it.")])
        try:
            value = strict_json(raw)
        except ValueError as error:
            raise _Wrong([Complaint("json", f"the line is no JSON: {error}", "Write one object a line.")]) from error
        return _validated(BatchLineBody, value)

    def _checked(self, custom_id: str, body: ImagesBody, number: int, line: int) -> CheckedRow:
        parts = self._parts
        try:
            card = choose_model(self._models, body.model)
            ids = self._inputs(body, card) if isinstance(body, EditsBody) else {}
            with parts.transaction(self._tenant) as conn:
                pictures = demand_known(ids, known_inputs(conn, self._tenant, ids.values())) if ids else {}
            single = single_of(body, card, self._models, settings=parts.settings, pictures=ids)
        except Problem as problem:
            raise _Wrong(_named(problem)) from problem
        except WorkerError as error:
            if (known := domain_problem(error)) is None or known.status >= 500:
                raise
            raise _Wrong(_named(known)) from error
        except RequestValidationError as error:
            raise _Wrong(from_validation(error.errors())) from error
        if self.books is None:
            first = RecipeBook(card, parts.settings, self._models)
            self.books = RecipeBooks(first, parts.settings, self._models)
        single = single.model_copy(update={"custom_id": custom_id})
        context = Context(self._tenant, self._name, card.name)
        book = self.books.of(card.name)
        row = check_row(single, book, parts, context, number=number, line=line, pictures=pictures)
        if isinstance(row, list):
            raise _Wrong(row)
        if refused := refused_warnings_of(row, book, parts, context):
            raise _Wrong(refused)
        self.renditions |= dict.fromkeys(single.renditions)
        channels = {channel.name: channel for channel in single.channels if isinstance(channel, ChannelBody)}
        self._choose(channels)
        own = row.own._replace(model=card.name, priority=body.priority if "priority" in body.model_fields_set else None)
        file = next(iter(channels), FORMATS[body.output_format or "png"])
        return replace(row, own=own, carried=[*(_cell(getattr(body, name)) for name in _ASKED), file])

    def _choose(self, channels: Mapping[str, ChannelBody]) -> None:
        """Every image of the batch gets these files too, so they are few."""
        self.channels |= channels
        if len(self.channels) > MAX_CHANNELS:
            message = f"the lines choose more than {MAX_CHANNELS} qualities, each in one size"
            raise _Wrong([Complaint("not_available", message, _OTHER_BATCH, field="output_compression")])

    def _inputs(self, body: EditsBody, card: ModelCard) -> dict[str, str]:
        if not TAKING_A_PICTURE.intersection(card.tasks):
            message, remedy = f"{card.name} draws from a prompt alone", "GET /v1/models lists the tasks of each."
            raise _Wrong([Complaint("edits_not_supported", message, remedy, field="model")])
        pictures = pictures_of(body, self._parts.settings.input_max_bytes)
        return inputs_of(self._caller, self._parts, pictures, self._taken)


class _Wrong(Exception):
    """A line has these complaints."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        super().__init__()
        self.complaints = [replace(one, field=their_name(one.field)) for one in complaints]


def numbered_lines(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """(physical line, bytes) of every line that is not empty; a longer one than may be is cut behind its limit."""
    file.seek(0)
    number = 0
    while raw := file.readline(most + 1):
        number += 1
        rest = raw
        while len(rest) > most and not rest.endswith(b"\n"):
            rest = file.readline(most + 1)
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if raw.strip():
            yield number, raw


def _validated(model: type[M], value: object) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = from_validation(error.errors(include_url=False, include_input=False), model)
        raise _Wrong(found) from error


def _named(problem: Problem) -> Sequence[Complaint]:
    """What is wrong with a line; a problem without complaints, such as an unknown file, is one itself."""
    return problem.errors or [
        Complaint(problem.code, problem.detail.removesuffix("."), "Send another.", field="images")
    ]


def _cell(value: object) -> str:
    """Zero is a value, None is none."""
    return "" if value is None else str(value)


def carried_of(cells: Mapping[str, str]) -> ImagesBody:
    """What a line asked of its answer, read back; the defaults where its cells were erased."""
    kept: dict[str, str | int] = {name: text for name in _ASKED if (text := cells.get(name))}
    if quality := cells.get("output_compression"):
        kept["output_compression"] = int(quality)
    return ImagesBody.model_validate({"prompt": "-", **kept})
