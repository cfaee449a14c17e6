"""Planning: every row of a feed compared with what is live, and what an apply would do written down.

    lease -> feed -> rows, a chunk at a time: pictures, digests, one comparison in the database, checks of what is new
          -> what is missing -> counts, safeguards, forecast, digest -> ready

A row that is as it was costs two digests and its share of a statement: it is not screened, and its picture is not
fetched where the address says that it is unchanged. Memory holds a chunk and the keys. Killed anywhere: the lease runs
out, and the next look begins again (workers/jobs/catalogue/plans.py).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from itertools import islice
from typing import BinaryIO, cast

from api.catalogues.feed import MAX_ROWS, CatalogueFeed, FeedRow
from api.catalogues.fetching import PlanLost, Unplannable, read_feed
from api.catalogues.parts import DELIVERY, RULES, PictureParts, blanked, first_difference
from api.catalogues.pictures import SourcePicture, SourcePictures
from api.catalogues.rows import CatalogueModel, CatalogueRows
from api.catalogues.safeguards import FeedCounts, safeguards
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.schemas.catalogues import CatalogueBody
from api.submission.checked import CheckedRow
from api.submission.preview.forecast import preview, works_of
from policy.verdict import Decision
from workers.errors import TooManyInputs
from workers.jobs.catalogue import catalogues, plans
from workers.jobs.catalogue.differences import SlotDifference, WantedSlot, differences, live_keys
from workers.jobs.catalogue.plans import Planned, Planning, SlotChange
from workers.sheets.errors import SheetInvalid
from workers.states import Priority

_CHUNK = 1_000  # rows of one comparison
_MEMORY_BYTES = 1024 * 1024  # of a feed; beyond it lies on disk
_UNDECIDED = {
    "held": "the picture waits for a reviewer",
    "refused": "policy refused the picture; another prompt or --again makes it anew",
    "failed": "the picture could not be made; --again tries once more",
    "recalled": "the picture was recalled",
}


def make_plan(parts: Parts, tenant: str, plan_id: str) -> None:
    """The plan, ready or failed, unless another process has it. Raises what a store and a database raise."""
    with parts.transaction(tenant) as conn:
        planning = plans.take(conn, tenant, plan_id)
    if planning is None:
        return
    if planning.attempt > plans.ATTEMPTS:
        message = f"making the plan was begun {plans.ATTEMPTS} times and came to no end"
        _fail(parts, planning, [Complaint("too_costly", message, "Send a smaller feed.")])
        return
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
        try:
            _Plan(parts, planning, cast(BinaryIO, file)).make()
        except PlanLost:
            return
        except SheetInvalid as error:
            _fail(parts, planning, [Complaint(error.code, error.message, error.remedy, line=error.line)])
        except Unplannable as found:
            _fail(parts, planning, found.complaints)
        except Problem as problem:
            if problem.status >= 500:
                raise
            _fail(parts, planning, [*problem.errors] or [Complaint(problem.code, problem.detail, "")])
        except TooManyInputs as error:
            _fail(parts, planning, [Complaint("too_many_open_inputs", f"{error}", "Plan again in some minutes.")])


class _Plan:
    """One making of a plan."""

    def __init__(self, parts: Parts, planning: Planning, file: BinaryIO) -> None:
        self._parts, self._planning, self._file = parts, planning, file
        self._row = planning.row
        self._tenant: str = planning.row.tenant
        self._spec = CatalogueBody.model_validate_json(json.dumps(planning.row.spec))
        self._model = CatalogueModel(parts, self._tenant, self._spec)
        self._seen, self._keys = FeedCounts(), set[str]()
        self._removed = dict[str, FeedRow]()  # rows that are marks to remove, by key
        self._kept = self._unscreened = 0  # the latter of the former: by earlier rules, and no drawing is kept

    def make(self) -> None:
        sha256 = read_feed(self._parts, self._planning, self._spec, self._file)
        feed = CatalogueFeed(self._spec, self._file, self._model.book.tokens)
        try:
            if feed.complaints:
                raise Unplannable(*feed.complaints)
            rows = CatalogueRows(self._parts, self._tenant, self._spec, self._model, feed.names)
            if rows.complaints:
                raise Unplannable(*rows.complaints)
            made_of = PictureParts(self._spec, self._model.book, feed.names, self._spec.watch or feed.template_names)
            pictures = SourcePictures(self._parts, self._tenant, self._row.key_id, self._row.pictures, self._renew)
            stream = feed.rows()
            while chunk := list(islice(stream, _CHUNK)):
                self._renew()
                self._compare(chunk, made_of, rows, pictures)
            if not self._seen.rows:
                message = "the feed has no row that is taken"
                raise Unplannable(Complaint("no_rows", message, "Look at the feed, and at `where`."))
        finally:
            feed.close()
        self._gone()
        self._end(made_of.base, sha256, rows)

    def _compare(
        self, chunk: list[FeedRow], made_of: PictureParts, rows: CatalogueRows, pictures: SourcePictures
    ) -> None:
        found = pictures.find(row.picture for row in chunk if row.problem is None and not row.removed)
        changes: list[SlotChange] = []
        asked: list[tuple[FeedRow, dict[str, str], str | None]] = []
        wanted: list[WantedSlot] = []
        for row in chunk:
            self._seen.rows += 1
            if self._seen.rows > MAX_ROWS:
                message = f"the feed has more than {MAX_ROWS:,} rows"
                raise Unplannable(Complaint("too_many_rows", message, "Make several catalogues of it."))
            if row.removed:
                self._removed[row.key] = row
                continue
            picture = found.get(row.picture)
            problem = row.problem or self._without_picture(row, picture)
            if row.problem is None:
                self._keys.add(row.key)
            if problem is not None:
                self._seen.duplicates += problem.code == "duplicate_key"
                changes.append(_blocked(row, 1, problem))
                continue
            photo, input_id = picture if isinstance(picture, SourcePicture) else ("", None)
            parts, delivery = made_of.of(row.cells, photo), made_of.delivery(row.cells)
            for view in range(1, self._spec.make.variants + 1):
                asked.append((row, parts, input_id))
                wanted.append(WantedSlot(row.key, view, made_of.picture(parts, photo, view), delivery))
        rows.pictures.learn([input_id for _, _, input_id in asked if input_id])
        with self._parts.transaction(self._tenant) as conn:
            rules, catalogue_id = self._parts.rules.version, self._row.catalogue_id
            found_different = differences(conn, self._tenant, catalogue_id, wanted, rules_version=rules)
            different = [one for one in found_different if one.found != "unscreened"]
            self._unscreened += len(found_different) - len(different)
            self._kept += len(wanted) - len(different)
            read: dict[int, CheckedRow | Complaint] = {}
            for one in different:
                row, parts, input_id = asked[one.n]
                if one.found not in _UNDECIDED and row.number not in read:
                    read[row.number] = self._checked(rows, row, input_id, draws=one.found != "rules")
                changes.append(self._change(one, wanted[one.n], (row, parts, input_id), read.get(row.number)))
            if not plans.add(conn, self._planning, changes):
                raise PlanLost

    def _renew(self) -> None:
        """Long work goes on under its lease alone, and ends with its process."""
        if self._parts.planning.is_closed:
            raise PlanLost
        with self._parts.transaction(self._tenant) as conn:
            if not plans.renew(conn, self._planning):
                raise PlanLost

    def _checked(
        self, rows: CatalogueRows, row: FeedRow, input_id: str | None, *, draws: bool
    ) -> CheckedRow | Complaint:
        rows.found.rows += 1
        read = rows.read(row, input_id)
        if isinstance(read, CheckedRow):
            if read.texts.verdict.decision is Decision.REFUSE:
                finding = read.texts.verdict.findings[0]
                message = f"policy refuses the prompt: {finding.category}"
                return Complaint("refused_by_policy", message, "Change the row.", row=row.number, line=row.line)
            if draws:
                rows.found.add(read, self._model.book)
        return read

    def _change(
        self,
        one: SlotDifference,
        slot: WantedSlot,
        asked: tuple[FeedRow, dict[str, str], str | None],
        read: CheckedRow | Complaint | None,
    ) -> SlotChange:
        row, parts, input_id = asked
        plain = SlotChange(
            *(slot.key, slot.view, "create", "new", row.number, row.line),
            *("", slot.picture, slot.delivery, parts, input_id),
        )
        if one.found in _UNDECIDED:
            return replace(plain, kind="blocked", cause=one.found, detail=_UNDECIDED[one.found])
        if isinstance(read, Complaint):
            return _blocked(row, slot.view, read)
        if one.found == "new":
            return plain
        if one.found == "retired":
            return replace(plain, cause="back")
        for part in blanked(one.parts or {}, parts):
            self._seen.blanks[part] += 1
        of_all = {"delivery": DELIVERY, "rules": RULES}
        cause = of_all.get(one.found) or first_difference(one.parts or {}, parts)
        return replace(plain, kind="change", cause=cause)

    def _without_picture(self, row: FeedRow, picture: SourcePicture | Complaint | None) -> Complaint | None:
        """Why the row has no picture to be made from, where its catalogue says that it has one."""
        if not self._spec.picture_column or isinstance(picture, SourcePicture):
            return None
        if picture is None:
            column = self._spec.picture_column
            return Complaint("no_picture", f"the cell of '{column}' is empty", "Fill it in.", row=row.number)
        return picture

    def _gone(self) -> None:
        """Slots whose row is gone, which is listed and removes nothing, and those whose row is a mark to remove."""
        gone: list[SlotChange] = []
        with self._parts.transaction(self._tenant) as conn:
            for key, view in live_keys(conn, self._row.catalogue_id):
                self._seen.live += 1
                if removed := self._removed.get(key):
                    gone.append(SlotChange(key, view, "retire", "remove", removed.number, removed.line))
                elif key not in self._keys or view > self._spec.make.variants:
                    gone.append(SlotChange(key, view, "missing", "no_row" if key not in self._keys else "no_view"))
        for start in range(0, len(gone), _CHUNK):
            with self._parts.transaction(self._tenant) as conn:
                if not plans.add(conn, self._planning, gone[start : start + _CHUNK]):
                    raise PlanLost

    def _end(self, base: str, feed_sha256: str, rows: CatalogueRows) -> None:
        works = works_of(rows.found, self._model.books, self._parts.settings)
        with self._parts.transaction(self._tenant) as conn:
            row = catalogues.demand(conn, self._tenant, self._spec.name)
            counts, causes = plans.counted(conn, self._planning.plan_id)
            counts = {**counts, "keep": self._kept}
            if self._unscreened:
                causes["keep"] = {RULES: self._unscreened}
            fed = {**counts, "change": counts.get("change", 0) - causes.get("change", {}).get(RULES, 0)}
            stops = list(safeguards(self._spec.limits, self._seen, fed, last_rows=row.last_rows))
            forecast, _ = preview(conn, works, self._parts.settings, priority=Priority.BULK, deadline=None)
            planned = Planned(
                digest=plans.digest_of(conn, self._planning.plan_id, base, feed_sha256),
                base=base,
                feed_sha256=feed_sha256,
                feed_rows=self._seen.rows,
                counts=counts,
                causes=causes,
                safeguards=stops,
                forecast=forecast.model_dump(mode="json"),
            )
            if not plans.ready(conn, self._planning, planned):
                raise PlanLost
            if stops:
                told = [{name: stop[name] for name in ("code", "limit", "found")} for stop in stops]  # no column's name
                figures = {"plan_id": self._planning.plan_id, "safeguards": told}
                catalogues.pause(conn, row, catalogues.SAFEGUARDS, figures, actor=f"key:{self._row.key_id}")
            elif row.paused_for == catalogues.SAFEGUARDS:
                catalogues.go_on(conn, row.id)  # the feed was mended


def _fail(parts: Parts, planning: Planning, complaints: list[Complaint]) -> None:
    with parts.transaction(planning.row.tenant) as conn:
        plans.fail(conn, planning, [one.to_json() for one in complaints])


def _blocked(row: FeedRow, view: int, why: Complaint) -> SlotChange:
    detail = f"{why.message}. {why.remedy}".strip()
    return SlotChange(row.key, view, "blocked", why.code, row.number, row.line, detail)
