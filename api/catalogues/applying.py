"""Applying: exactly what a plan shows, as a campaign: policy, budgets, pilots and breakers hold as for any other.

The rows are read again from the feed that was planned, which nobody can have changed, and only those of the plan are
taken. Killed before the commit, nothing is stored and the plan can be applied; after it, the run and its request are
there, and the plan is applied once for ever.
"""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from sqlalchemy import Connection

from api.catalogues.feed import CatalogueFeed, FeedRow
from api.catalogues.parts import DELIVERY, RULES, PictureParts
from api.catalogues.rows import CatalogueModel, CatalogueRows, pilot_of
from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.problems import Complaint, Problem
from api.schemas.catalogues import CatalogueBody
from api.submission.checked import CheckedRow
from api.submission.pilot import PilotPlan
from api.submission.preview.forecast import works_of
from api.submission.store import CheckedRequest, delivery_of, store
from policy.verdict import Finding, Verdict
from workers.delivery.feed_rows import FeedRowsWriter
from workers.errors import Conflict, NotFound, Stale
from workers.jobs.catalogue import catalogues, runs
from workers.jobs.catalogue.kept import KeptSlot, kept_slots
from workers.jobs.catalogue.plans import changes_of
from workers.jobs.catalogue.runs import Choice, Slot
from workers.jobs.catalogue.views import get_plan
from workers.jobs.delivery.catalogue_deliveries import follow
from workers.jobs.idempotency import StoredReply
from workers.jobs.types import NewDelivery, NewItem
from workers.store import rows_key

_MEMORY_BYTES = 1024 * 1024  # of a feed and of its rows; beyond it they lie on disk


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was begun, with the answer to its submission."""

    run: int
    retired: int  # slots that marks of the feed took out
    reply: StoredReply | None  # None: it makes no picture


class Apply:
    """One apply of one plan. Use it as a context: what it read lies in files until the end."""

    def __init__(self, parts: Parts, caller: Caller, plan_id: str, digest: str, choice: Choice) -> None:
        self._parts, self._caller, self._plan_id, self._digest = parts, caller, plan_id, digest
        self._choice = choice
        self._rows = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`

    def close(self) -> None:
        """Removes what was read."""
        self._rows.close()

    def check(self) -> None:
        """Reads and checks the rows to make. Raises Problem, Stale, Conflict and NotFound; stores nothing."""
        tenant = self._caller.tenant
        with self._parts.transaction(tenant) as conn:
            self._plan = get_plan(conn, tenant, self._plan_id)
            runs.demand_applicable(conn, catalogues.demand(conn, tenant, self._plan.name), self._plan, self._digest)
            found = runs.choose(conn, self._plan_id, self._choice)
            removed = runs.to_retire(conn, self._plan_id, self._choice.only)
            self._demand_known([*found, *removed])
            self._slots = runs.limited(found, self._choice.limit)
            chosen = frozenset(self._slots)
            self._kept = kept_slots(conn, self._plan, (DELIVERY, RULES))
            inputs = {row.key: row.input_id for row in changes_of(conn, self._plan_id) if (row.key, row.view) in chosen}
        self._spec = CatalogueBody.model_validate_json(json.dumps(self._plan.spec))
        if not self._slots and not removed:
            raise Conflict(f"plan {self._plan_id} makes no picture")
        self._chosen, model = chosen, CatalogueModel(self._parts, tenant, self._spec)
        with (
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file,
            tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as read,
        ):
            self._fetch_feed(cast(BinaryIO, file))
            feed = CatalogueFeed(self._spec, cast(BinaryIO, file), model.book.tokens)
            kept = FeedRowsWriter(cast(BinaryIO, read), feed.header, feed.picture_place)
            try:
                if self._slots:
                    self._checked = self._read(feed, model, inputs, kept)
                else:
                    deque(_kept(feed, kept), maxlen=0)
            finally:
                feed.close()
            key = rows_key(str(self._plan.feed_key))
            self._parts.store.put_file(key, cast(BinaryIO, read), "application/x-ndjson", kept.sha256)

    def begin(self, conn: Connection) -> Begun:
        """The run with its request, in the caller's transaction. Raises as `check` does, and as a submission does."""
        caller = self._caller
        catalogue = catalogues.demand(conn, caller.tenant, self._plan.name)
        plan = get_plan(conn, caller.tenant, self._plan_id)
        runs.demand_applicable(conn, catalogue, plan, self._digest)
        reply = store(conn, caller, self._parts, self._checked) if self._slots else None
        number, retired = runs.begin(
            conn,
            catalogue,
            plan,
            request_id=str(reply.body["id"]) if reply else None,
            slots=self._slots,
            only=self._choice.only,
            key_id=caller.key_id,
        )
        follow(conn, catalogue.id, caller.tenant, self._place(conn))
        return Begun(number, retired, reply)

    def _place(self, conn: Connection) -> NewDelivery | None:
        """Where what is live goes: below a prefix of its own, as a manifest is written over an older one."""
        asked = self._spec.deliver
        if asked is not None and not asked.prefix:
            asked = asked.model_copy(update={"prefix": self._spec.name})
        return delivery_of(conn, self._caller.tenant, asked)

    def _demand_known(self, found: Sequence[Slot]) -> None:
        """What was asked for by key is in the plan. Raises Problem."""
        keys = {slot.key for slot in found}
        unknown = [key for key in self._choice.only if key not in keys]
        if unknown:
            message = f"the plan makes no picture of {', '.join(unknown[:5])}"
            complaint = Complaint("not_in_plan", message, "Look at the changes of the plan.", field="only")
            raise Problem("invalid_body", f"{message}.", errors=[complaint])

    def _fetch_feed(self, file: BinaryIO) -> None:
        if self._plan.feed_key is None:
            raise Stale("the feed of the plan is gone; plan again")
        try:
            for piece in self._parts.store.stream(self._plan.feed_key):
                file.write(piece)
        except NotFound as error:
            raise Stale("the feed of the plan is gone; plan again") from error

    def _read(
        self, feed: CatalogueFeed, model: CatalogueModel, inputs: Mapping[str, str | None], kept: FeedRowsWriter
    ) -> CheckedRequest:
        spec, tenant = self._spec, self._caller.tenant
        base = PictureParts(spec, model.book, feed.names, spec.watch or feed.template_names).base
        if base != self._plan.base:
            raise Stale(f"the model or its options are others since plan {self._plan_id}; plan again")
        rows = CatalogueRows(self._parts, tenant, spec, model, feed.names)
        found = rows.found
        found.complain(*feed.complaints, *rows.complaints)
        found.raise_complaints()
        rows.pictures.learn([id for id in inputs.values() if id])
        found.begin_pilot(pilot_of(spec, len(self._slots), is_first=self._plan.after_run == 0))
        for row in _kept(feed, kept):
            if row.problem is not None or row.key not in inputs:
                continue
            found.rows += 1
            read = rows.read(row, inputs[row.key])
            if isinstance(read, Complaint):
                found.complain(read)
                continue
            found.add(read, model.book)
            self._rows.write(read.to_line())
        found.raise_complaints()
        report = found.report().model_copy(update={"items": len(self._slots)})
        return CheckedRequest(
            kind="campaign",
            asked=rows.asked,
            template=spec.make.template,
            card=model.card,
            report=report,
            items=lambda _: self._items(model),
            carried_columns=found.carried_columns,
            pilot=self._pilot(found.pilot()),
            works=works_of(found, model.books, self._parts.settings),
        )

    def _items(self, model: CatalogueModel) -> Iterator[NewItem]:
        """Of a row, the views that the plan makes."""
        self._rows.seek(0)
        for line in self._rows:
            row = CheckedRow.from_line(line)
            recipe = model.book.recipe(row.options)
            for item in row.items(recipe.id, recipe):
                slot = Slot(item.custom_id, item.variant + 1)
                if slot in self._chosen:
                    yield self._of_drawing(item, self._kept[slot]) if slot in self._kept else item

    def _of_drawing(self, item: NewItem, kept: KeptSlot) -> NewItem:
        """Its files are made of what is drawn, under the texts that it was drawn of. A worker screens both again."""
        return replace(
            item,
            prompt=kept.prompt,
            negative_prompt=kept.negative_prompt,
            seed=kept.seed,
            verdict=Verdict(self._parts.rules.version, tuple(map(Finding.from_json, kept.rewrites))),
            texts_read=kept.texts_read,
            drawing_of=kept.drawing,
        )

    def _pilot(self, pilot: PilotPlan | None) -> PilotPlan | None:
        """The sample without views that are not made; None where nothing of it is left."""
        if pilot is None:
            return None
        self._rows.seek(0)
        keys = {row.number: row.custom_id for row in map(CheckedRow.from_line, self._rows)}
        made = frozenset((row, view) for row, view in pilot.sampled if Slot(keys[row], view + 1) in self._chosen)
        return replace(pilot, pilot=replace(pilot.pilot, sampled=len(made)), sampled=made) if made else None


def _kept(feed: CatalogueFeed, kept: FeedRowsWriter) -> Iterator[FeedRow]:
    """The rows that are taken. Every row is written down for the files of the run."""
    for row, taken in feed.every_row():
        kept.write(row.number, taken.key if taken else None, row.cells)
        if taken is not None:
            yield taken
