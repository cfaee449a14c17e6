"""Storing a checked request as rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.limits.agents import demand_within_day
from api.edge.limits.money import demand_currency
from api.edge.problems import Complaint, Problem
from api.schemas.channels import channels_of
from api.schemas.marks import MarksBody
from api.schemas.requests import CampaignBody, SingleBody
from api.schemas.submission import (
    AcceptedReply,
    DryRunReply,
    ExamplePromptReply,
    LinksReply,
    SubmissionReply,
    UnchangedReply,
)
from api.schemas.targets import DeliverBody
from api.submission.file_naming import file_templates
from api.submission.pilot import PilotPlan, marked
from api.submission.preview.forecast import forecast_of, preview
from api.submission.preview.reuse import ForeseenReuse
from api.submission.table.earlier import EarlierRows
from policy.marks.channels.channel import Channel
from policy.marks.provenance.origin import StatedOrigin
from policy.rulebook.scope import Context
from policy.verdict import Decision
from workers.cost.forecast import Take, Work
from workers.cost.limits import Limits
from workers.jobs.control.budget import list_budgets
from workers.jobs.delivery.targets import find
from workers.jobs.idempotency import StoredReply
from workers.jobs.submit import submit
from workers.jobs.types import NewDelivery, NewItem, NewRequest, new_id
from workers.jobs.views import count_waiting
from workers.metrics import ITEMS_REFUSED_AT_SUBMIT, ITEMS_SUBMITTED
from workers.sampling.cards.registry import ModelCard
from workers.tracing import spans

_EXAMPLES = 10  # prompts that a check shows as they would be drawn


class DrawnBy(NamedTuple):
    """What draws the images of a request, and the queue that it is drawn in."""

    name: str
    revision: str
    queue: str


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request with nothing left to complain about. `items` makes them for a request id."""

    kind: str
    asked: SingleBody | CampaignBody | MarksBody
    template: str
    card: ModelCard | DrawnBy
    report: SubmissionReply
    items: Callable[[str], Iterable[NewItem]]
    carried_columns: tuple[str, ...] = ()
    pilot: PilotPlan | None = None
    works: tuple[Work, ...] = ()  # its images by recipe, for forecasts
    origin: StatedOrigin | None = None  # of pictures that another tool made
    id: str = ""  # of the request, where it is known before; "": a new one
    prepare: Callable[[Connection, Caller], object] = lambda *_: None  # in the transaction, before the items


def store(conn: Connection, caller: Caller, parts: Parts, checked: CheckedRequest) -> StoredReply:
    """202 with the request's id. Commits with the caller's transaction, and not before: no broker is asked."""
    began = time.time_ns()
    parts.registers.ensure()
    demand_future(conn, checked.asked.deadline)
    demand_currency(_limits(checked), parts.settings.currency, field="budget.currency")
    _demand_few(checked)
    _demand_labels(caller, parts, checked)
    demand_within_day(conn, caller, checked.report.items)
    _demand_room(conn, caller, parts, checked)
    request = replace(
        _request(caller, parts, checked),
        share=_share(conn, caller, parts, checked),
        delivery=delivery_of(conn, caller.tenant, checked.asked.deliver),
    )
    report = checked.report
    checked.prepare(conn, caller)
    new_items = checked.items(request.id)
    if checked.pilot:
        new_items = marked(new_items, checked.pilot.sampled)
    if isinstance(checked.asked, CampaignBody):
        earlier = EarlierRows(conn, request, checked.asked)
        new_items = earlier.to_make(new_items)
        first = next(new_items, None)
        if first is None:
            return StoredReply(200, UnchangedReply(**dict(earlier.reported(report))).model_dump(mode="json"))
        submitted = submit(conn, request, chain((first,), new_items))
        report = earlier.reported(report)
    else:
        submitted = submit(conn, request, new_items)
    report = report.model_copy(update={"reused_items": submitted.reused, "reencoded_items": submitted.reencoded})
    ITEMS_SUBMITTED.labels(request.kind, request.priority).inc(submitted.items)
    ITEMS_REFUSED_AT_SUBMIT.inc(submitted.refused)
    spans.submitted(request.id, began, tenant=caller.tenant, kind=request.kind, items=submitted.items)
    accepted = AcceptedReply(
        **dict(report),
        id=request.id,
        kind=request.kind,
        name=request.name,
        model=request.model,
        priority=request.priority,
        links=links(request.id),
    )
    return StoredReply(202, accepted.model_dump(mode="json"))


def dry_run(conn: Connection, caller: Caller, parts: Parts, checked: CheckedRequest) -> DryRunReply:
    """What `store` would be asked for, with a forecast and with what earlier requests have of it. Stores nothing."""
    demand_future(conn, checked.asked.deadline)
    demand_currency(_limits(checked), parts.settings.currency, field="budget.currency")
    request = _request(caller, parts, checked)
    reused = ForeseenReuse(conn, request)
    examples: list[ExamplePromptReply] = []
    if isinstance(checked.asked, CampaignBody):
        earlier = EarlierRows(conn, request, checked.asked)
        reused.look(_told(earlier.to_make(checked.items(request.id)), examples))
        report = reused.reported(earlier.reported(checked.report))
    else:
        reused.look(checked.items(request.id))
        report = reused.reported(checked.report)
    works = reused.works(checked.works)
    asked = checked.asked
    told, warnings = preview(conn, works, parts.settings, priority=asked.priority, deadline=asked.deadline)
    found = {**dict(report), "warnings": [*report.warnings, *warnings]}
    return DryRunReply(**found, examples=examples, forecast=told)


def _told(items: Iterable[NewItem], examples: list[ExamplePromptReply]) -> Iterator[NewItem]:
    """The items themselves; the first of those that would be drawn are put into `examples` in passing."""
    for item in items:
        if len(examples) < _EXAMPLES and item.verdict.decision is not Decision.REFUSE:
            told = {"row": item.row, "custom_id": item.custom_id, "variant": item.variant, "prompt": item.prompt}
            examples.append(ExamplePromptReply.model_validate(told))
        yield item


def delivery_of(conn: Connection, tenant: str, asked: DeliverBody | None) -> NewDelivery | None:
    """Raises Problem where there is no such target, or it cannot be written to."""
    if asked is None:
        return None
    found = find(conn, tenant, asked.target)
    if found is None or found[2] == "refused":
        message = f"there is no target '{asked.target}'" if found is None else f"target '{asked.target}' is refused"
        remedy = "Register one with POST /v1/targets." if found is None else "GET /v1/targets says why; check it anew."
        complaint = Complaint("target", message, remedy, field="deliver.target")
        raise Problem("invalid_body", f"deliver: {message}. {remedy}", errors=[complaint])
    return NewDelivery(found[0], found[1] + (f"{asked.prefix}/" if asked.prefix else ""))


def _request(caller: Caller, parts: Parts, checked: CheckedRequest) -> NewRequest:
    return NewRequest(
        id=checked.id or new_id(),
        tenant=caller.tenant,
        kind=checked.kind,
        name=checked.asked.name,
        template=checked.template,
        model=checked.card.name,
        model_revision=checked.card.revision,
        priority=checked.asked.priority,
        queue=checked.card.queue,
        key_id=caller.key_id,
        policy_version=parts.rules.version,
        metadata=checked.asked.metadata,
        renditions=checked.asked.renditions,
        publish_prompt=checked.asked.publish_prompt,
        deadline=checked.asked.deadline,
        at_deadline=checked.asked.at_deadline,
        carried_columns=checked.carried_columns,
        channels=channels_of(checked.asked.channels),
        file_templates=file_templates(checked.asked),
        pilot=checked.pilot.pilot if checked.pilot else None,
        currency=parts.settings.currency,
        budget=_limits(checked) or None,
        parent_id=checked.asked.parent if isinstance(checked.asked, CampaignBody) else None,
        reuse=checked.asked.reuse == "auto",
        origin=checked.origin,
    )


def _limits(checked: CheckedRequest) -> Limits:
    return checked.asked.budget.limits() if checked.asked.budget else Limits()


def _share(conn: Connection, caller: Caller, parts: Parts, checked: CheckedRequest) -> Mapping[str, Take]:
    """The P90 of an image, by work, for a tenant that has budgets."""
    if not checked.asked.budget and not list_budgets(conn, caller.tenant):
        return {}
    return forecast_of(conn, checked.works, parts.settings).share


def _demand_few(checked: CheckedRequest) -> None:
    """Whatever the rows say, no more images than the caller allowed. Raises Problem."""
    most, images = checked.asked.max_images, checked.report.items - checked.report.refused_items
    if most is not None and images > most:
        message = f"the request would make {images:,} images, and max_images allows {most:,}"
        complaint = Complaint("too_many_items", message, "Allow more, or send less.", field="max_images")
        raise Problem("invalid_body", f"{message}.", errors=[complaint])


def _demand_labels(caller: Caller, parts: Parts, checked: CheckedRequest) -> None:
    if checked.origin and checked.origin.declaration == "none":
        return
    context = Context(caller.tenant, checked.asked.name, checked.card.name)
    demand_labels(parts, context, channels_of(checked.asked.channels))


def demand_labels(parts: Parts, context: Context, channels: Sequence[Channel]) -> None:
    """Raises Problem where the rule set refuses files without a visible label; where it holds them, a worker does."""
    unlabelled = [channel.name for channel in channels if channel.label is None]
    for finding in parts.rules.label.findings(context, unlabelled):
        if finding.decision is Decision.REFUSE:
            remedy = "Give each channel a `label`; GET /v1/channels lists its languages."
            complaint = Complaint("label_demanded", finding.detail, remedy, field="channels")
            message = f"The rule set demands a visible label ({finding.rule}): {finding.detail}."
            raise Problem("invalid_body", message, errors=[complaint])


def _demand_room(conn: Connection, caller: Caller, parts: Parts, checked: CheckedRequest) -> None:
    """A tenant's queue is bounded. Two submissions at the same moment may pass it by one request together."""
    most = parts.settings.max_open_items
    waiting = count_waiting(conn, caller.tenant, checked.card.queue, most=most)
    if waiting + checked.report.items > most:
        raise Problem(
            "too_many_open_items",
            f"{waiting:,} images of yours wait, this request has {checked.report.items:,}, and {most:,} may wait."
            " Nothing was stored. Send it again when some are made, or cancel what is not needed.",
            headers={"Retry-After": "60"},
        )


def demand_future(conn: Connection, deadline: datetime | None) -> None:
    """By the database's clock, which also stops the request. Raises Problem."""
    if deadline is not None and deadline <= conn.execute(select(func.clock_timestamp())).scalar_one():
        message = "the deadline has passed already"
        complaint = Complaint("deadline_passed", message, "Send a later moment, or none.", field="deadline")
        raise Problem("invalid_body", f"deadline: {message}.", errors=[complaint])


def links(request_id: str) -> LinksReply:
    here = f"/v1/requests/{request_id}"
    return LinksReply(request=here, items=f"{here}/items", assets=f"{here}/assets", results=f"{here}/results")
