"""Checking of a batch: every line of its file, then the request with all its rows in one transaction, or the errors.

Runs in the background of one API process under a lease (workers/jobs/uploads/batch_jobs.py). Killed anywhere before the
last commit, nothing is stored, and the next look at the batch begins again; after it, the request is there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.openai.batches.lines import CARRIED, MAX_LINES, BatchLines, LineError, numbered_lines
from api.schemas.requests import SingleBody
from api.schemas.submission import SubmissionReply
from api.submission.checked import CheckedRow
from api.submission.recipes import RecipeBooks
from api.submission.store import CheckedRequest, store
from policy.marks.renditions import ORIGINAL
from policy.verdict import Decision
from workers.errors import BudgetExceeded, NotFound
from workers.jobs.types import NewItem
from workers.jobs.uploads import batch_jobs
from workers.jobs.uploads.batch_jobs import Check
from workers.states import Priority
from workers.store import file_key

MAX_ERRORS = 100  # of a batch; a longer list helps nobody
_RENEW_LINES = 100  # read between two renewals of the lease
_MEMORY_BYTES = 1024 * 1024  # of a spool; beyond it lies on disk


def check_batch(parts: Parts, tenant: str, job_id: str) -> None:
    """Starts or fails the batch, unless another process has it or it is past that. Raises what a store raises."""
    with parts.transaction(tenant) as conn:
        check = batch_jobs.begin_check(conn, tenant, job_id)
    if check is None:
        return
    if check.attempt > batch_jobs.ATTEMPTS:
        _fail(parts, tenant, check, [LineError(0, _too_often())])
        return
    with _spool() as file, _spool() as rows:
        checking = _Checking(parts, tenant, check, cast(BinaryIO, file), cast(BinaryIO, rows))
        if checking.is_read():
            checking.end()


class _Checking:
    """One reading of a file. `rows` takes what was understood of each good line."""

    def __init__(self, parts: Parts, tenant: str, check: Check, file: BinaryIO, rows: BinaryIO) -> None:
        self._parts, self._tenant, self._check = parts, tenant, check
        self._file, self._rows = file, rows
        self._lines = BatchLines(parts, Caller(tenant, check.key_id), _name(check), check.endpoint)
        self._errors: list[LineError] = []
        self._count = self._items = self._refused = 0
        self._work = 0.0

    def is_read(self) -> bool:
        """Whether the file was read to its end under the lease."""
        try:
            for piece in self._parts.store.stream(file_key(self._tenant, self._check.file_id)):
                self._file.write(piece)
        except NotFound:
            gone = Complaint("missing", "the input file is gone", "Upload it again.", field="input_file_id")
            self._errors.append(LineError(0, gone))
            return True
        for line, raw in numbered_lines(self._file, self._lines.most_bytes):
            self._count += 1
            if self._count > min(MAX_LINES, self._parts.settings.max_rows):
                self._errors.append(LineError(line, self._too_many_rows()))
                return True
            if self._count % _RENEW_LINES == 0 and not self._goes_on():
                return False
            self._read(line, raw)
            if len(self._errors) >= MAX_ERRORS:
                return True
        self._whole()
        return True

    def end(self) -> None:
        """The request, or the errors. Whatever else the submission finds wrong is an error of the whole batch."""
        if self._errors:
            _fail(self._parts, self._tenant, self._check, self._errors)
            return
        try:
            self._start()
        except Problem as problem:
            if problem.status >= 500:
                raise
            _fail(self._parts, self._tenant, self._check, [LineError(0, Complaint(problem.code, problem.detail, ""))])
        except BudgetExceeded as error:
            _fail(
                self._parts, self._tenant, self._check, [LineError(0, Complaint("insufficient_quota", f"{error}", ""))]
            )

    def _start(self) -> None:
        books = self._lines.books
        if books is None:
            raise ValueError("a file without good lines is not started")
        check = self._check
        asked = SingleBody(
            prompt="-",  # each row has its own
            name=_name(check),
            model=books.default.card.name,
            priority=Priority.BULK,
            renditions=tuple(dict.fromkeys((ORIGINAL, *self._lines.renditions))),
            channels=[*self._lines.channels.values()],
            metadata=dict(check.metadata),
            deadline=check.expires_at.isoformat(),
            at_deadline="expire",
        )
        report = SubmissionReply(
            rows=self._count,
            items=self._items,
            refused_items=self._refused,
            refused=[],
            held_items=0,
            rewritten_items=0,
            rewritten=[],
            warnings=[],
            left_out_rows=0,
        )
        checked = CheckedRequest(
            kind="batch",
            asked=asked,
            template="",
            card=books.default.card,
            report=report,
            items=lambda request_id: self._stored(books, request_id),
            carried_columns=CARRIED,
        )
        caller = Caller(self._tenant, check.key_id)
        with self._parts.transaction(self._tenant) as conn:
            request_id = str(store(conn, caller, self._parts, checked).body["id"])
            if not batch_jobs.start(conn, self._tenant, check, request_id=request_id, lines=self._count):
                conn.rollback()  # cancelled meanwhile, or another process has it

    def _stored(self, books: RecipeBooks, request_id: str) -> Iterator[NewItem]:
        own_queue = books.default.card.queue
        self._rows.seek(0)
        for spooled in self._rows:
            row = CheckedRow.from_line(spooled)
            book = books.of(row.own.model)
            queue = None if book.card.queue == own_queue else book.card.queue
            yield from row.items(request_id, book.recipe(row.options), queue)

    def _read(self, line: int, raw: bytes) -> None:
        row = self._lines.read(self._count, line, raw)
        if isinstance(row, list):
            self._errors += row[: MAX_ERRORS - len(self._errors)]
            return
        self._items += row.own.variants
        self._work += row.options.megapixel_steps * row.own.variants
        if row.texts.verdict.decision is Decision.REFUSE:
            self._refused += row.own.variants
        self._rows.write(row.to_line())

    def _whole(self) -> None:
        settings = self._parts.settings
        if not self._count:
            self._errors.append(LineError(0, Complaint("no_rows", "the file has no line", "Write one object a line.")))
        if self._items > settings.max_items:
            message = f"the lines ask for {self._items:,} images; {settings.max_items:,} are allowed"
            self._errors.append(LineError(0, Complaint("too_many_items", message, "Send several files.", field="n")))
        if self._work > settings.max_megapixel_steps:
            message = (
                f"the lines ask for {self._work:,.0f} megapixel steps; {settings.max_megapixel_steps:,} are allowed"
            )
            self._errors.append(LineError(0, Complaint("too_much_work", message, "Send several files.")))

    def _goes_on(self) -> bool:
        if self._parts.background.is_closed:
            return False
        with self._parts.transaction(self._tenant) as conn:
            return batch_jobs.renew(conn, self._tenant, self._check)

    def _too_many_rows(self) -> Complaint:
        most = min(MAX_LINES, self._parts.settings.max_rows)
        return Complaint("too_many_rows", f"the file has more than {most:,} lines", "Send several files.")


def _fail(parts: Parts, tenant: str, check: Check, errors: list[LineError]) -> None:
    with parts.transaction(tenant) as conn:
        batch_jobs.fail(conn, tenant, check, [error.to_json() for error in errors])


def _name(check: Check) -> str:
    """The name of the request: the file's."""
    return check.file_name if check.file_name.isprintable() else ""


def _spool() -> tempfile.SpooledTemporaryFile[bytes]:
    return tempfile.SpooledTemporaryFile(_MEMORY_BYTES)


def _too_often() -> Complaint:
    message = f"reading the file was begun {batch_jobs.ATTEMPTS} times and came to no end"
    return Complaint("too_costly", message, "Send it in several parts.")
