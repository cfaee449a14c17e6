"""Pictures that another tool made: checked, named and ready to be stored as items that no model draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem, quoted
from api.schemas.marks import MarksBody
from api.schemas.requests import MAX_CUSTOM_ID_CHARS
from api.schemas.submission import RefusedRowReply, SubmissionReply
from api.submission.checked import CheckedRow, RowOptions
from api.submission.file_naming import FileNames, LabelLanguages, template_complaints
from api.submission.notices import ROWS_NAMED
from api.submission.pictures.known import KnownInput, demand_known, known_inputs, unusable
from api.submission.recipes import SamplingOptions
from api.submission.screening import Screened, refusal, with_inputs
from api.submission.store import CheckedRequest, DrawnBy
from policy.marks.renditions import LARGEST_SIDE, SMALLEST_SIDE
from policy.rulebook.scope import Context
from policy.verdict import Decision, Verdict
from workers.jobs.types import NewItem
from workers.recipes import MADE_ELSEWHERE, MARK, marking_recipe

FILE_COLUMN = "file"  # what an item carries beside its id: the name of its input


def check_marks(asked: MarksBody, parts: Parts, caller: Caller) -> CheckedRequest:
    """The request, ready to be stored. Raises Problem listing everything that is wrong."""
    known = _known(asked, parts, caller.tenant)
    ids = _custom_ids(asked, known)
    wrong = [*_complaints(asked, known, ids), *template_complaints(asked, (FILE_COLUMN,))]
    wrong += LabelLanguages(asked, (FILE_COLUMN,)).complaints
    if wrong:
        detail = "; ".join(f"{one.field}: {one.message}" for one in wrong[:3])
        raise Problem("invalid_body", f"{detail}.", errors=wrong[:ROWS_NAMED])
    rows = [_row(n, id, one, parts) for n, (id, one) in enumerate(zip(ids, known, strict=True), start=1)]
    names = FileNames(asked, (FILE_COLUMN,))
    named = [replace(row, file_suffixes=names.suffixes(row)) for row in rows]
    origin = replace(asked.origin.stated(), stated_by=caller.key_id)
    return CheckedRequest(
        kind="marks",
        asked=asked,
        template="",
        card=DrawnBy(MADE_ELSEWHERE, "", parts.settings.marks_queue),
        report=_report(rows, parts, Context(caller.tenant, asked.name, MADE_ELSEWHERE)),
        items=lambda _: _items(named),
        carried_columns=(FILE_COLUMN,),
        origin=origin,
    )


class _NamedInput(NamedTuple):
    known: KnownInput
    name: str


def _known(asked: MarksBody, parts: Parts, tenant: str) -> list[_NamedInput]:
    """Raises Problem for the first picture that is no input of the tenant's."""
    ids = {f"pictures.{n}.input": uuid_or_not_found(one.input, "input") for n, one in enumerate(asked.pictures)}
    with parts.transaction(tenant) as conn:
        found = demand_known(ids, known_inputs(conn, tenant, ids.values()))
    given = (one.name for one in asked.pictures)
    return [_NamedInput(one, name or one.name) for one, name in zip(found.values(), given, strict=True)]


def _custom_ids(asked: MarksBody, known: Sequence[_NamedInput]) -> list[str]:
    """Those that were given; else the file's name without its ending where that is one of a kind, else all of it."""
    stems = [str(PurePosixPath(one.name).with_suffix("")) if one.name else "" for one in known]
    several = {stem for stem, n in Counter(stems).items() if n > 1}
    ids = []
    for n, (picture, stem, one) in enumerate(zip(asked.pictures, stems, known, strict=True), start=1):
        own = one.name if stem in several else stem
        ids.append(picture.custom_id or (own if 0 < len(own) <= MAX_CUSTOM_ID_CHARS else f"picture-{n}"))
    return ids


def _complaints(asked: MarksBody, known: Sequence[_NamedInput], ids: Sequence[str]) -> Iterator[Complaint]:
    times = Counter(ids)
    for n, ((one, _), id) in enumerate(zip(known, ids, strict=True)):
        field = f"pictures.{n}.input"
        if gone := unusable(field, one):
            yield gone
        elif one.verdict is not None and one.verdict.decision is Decision.REFUSE:
            continue  # an answer, not an error
        elif not one.width or not one.height:
            message = f"the size of input {one.id} is not known yet"
            yield Complaint("input_size", message, "Wait until it is ready, then send the request.", field=field)
        elif min(one.width, one.height) < SMALLEST_SIDE or max(one.width, one.height) > LARGEST_SIDE:
            message = f"input {one.id} has {one.width} x {one.height} pixels"
            remedy = f"A picture that can be marked has sides of {SMALLEST_SIDE} to {LARGEST_SIDE:,} pixels."
            yield Complaint("input_size", message, remedy, field=field)
        if times[id] > 1:
            message = f"{times[id]} pictures have the id {quoted(id)}"
            yield Complaint("duplicate_custom_id", message, "Give each a custom_id of its own.", field=f"pictures.{n}")


def _row(number: int, custom_id: str, picture: _NamedInput, parts: Parts) -> CheckedRow:
    known = picture.known
    texts = with_inputs(Screened("", "", Verdict(parts.rules.version), {}), [known])
    options = SamplingOptions(known.width or 0, known.height or 0, 0, 0.0, "", task=MARK)
    own = RowOptions(options, 0, 1, inputs=(("image", known.id),))
    return CheckedRow(number, None, custom_id, texts, own, carried=(picture.name,))


def _items(rows: Sequence[CheckedRow]) -> Iterator[NewItem]:
    for row in rows:
        yield from row.items("", marking_recipe(row.options.width, row.options.height))


def _report(rows: Sequence[CheckedRow], parts: Parts, context: Context) -> SubmissionReply:
    refused = [row for row in rows if row.texts.verdict.decision is Decision.REFUSE]
    return SubmissionReply(
        rows=len(rows),
        items=len(rows),
        refused_items=len(refused),
        refused=[_refused(row, parts, context) for row in refused[:ROWS_NAMED]],
        held_items=sum(row.texts.verdict.decision is Decision.HOLD for row in rows),
        warnings=[],
    )


def _refused(row: CheckedRow, parts: Parts, context: Context) -> RefusedRowReply:
    verdict, id = row.texts.verdict, row.custom_id
    return refusal(parts.rules, context, verdict, row=row.number, line=None, custom_id=id, sources={})
