"""Forecast of a checked request, from batches that were measured here. What was not measured is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from api.schemas.forecast import FinishReply, ForecastReply, QuantilesReply
from api.schemas.submission import WarningReply
from api.submission.findings import SubmissionFindings
from api.submission.recipes import RecipeBooks
from workers.cost.finish import Served, Waiting, served
from workers.cost.forecast import MEASURED, Forecast, Work, forecast
from workers.jobs.fleet.measured import last_hour, live_classes, load, measured
from workers.recipes import Recipe
from workers.settings import Settings
from workers.states import TURNS_PER_PRIORITY, Priority

_HOUR = 5  # batches of the last hour, below which they say nothing of the capacity


class _Wish(NamedTuple):
    """What decides the order of a request."""

    priority: Priority
    deadline: datetime | None


def works_of(found: SubmissionFindings, books: RecipeBooks, settings: Settings) -> tuple[Work, ...]:
    """The images to make, by recipe."""
    return tuple(_works(found, books, settings))


def _works(found: SubmissionFindings, books: RecipeBooks, settings: Settings) -> Iterator[Work]:
    for (model, options), images in found.work.items():
        book = books.of(model)
        recipe = book.recipe(options)
        yield Work(recipe.work_id, images, _together(recipe, settings), book.card.queue)


def stored_works(stored: Iterable[tuple[Recipe, str, int]], settings: Settings) -> tuple[Work, ...]:
    """The same of stored images: their recipe, their queue, and how many they are."""
    return tuple(Work(recipe.work_id, images, _together(recipe, settings), queue) for recipe, queue, images in stored)


def _together(recipe: Recipe, settings: Settings) -> int:
    """Images that the planner puts into a batch."""
    height, width, _ = recipe.shape
    return max(1, min(settings.max_batch, settings.max_batch_pixels // (height * width)))


def forecast_of(conn: Connection, works: Sequence[Work], settings: Settings) -> Forecast:
    """What these images take on the workers of now."""
    fleets = {queue: live_classes(conn, queue) for queue in {work.queue for work in works}}
    measures = measured(conn, {work.work_id for work in works}) if works else []
    return forecast(works, measures, fleets, settings.price_list)


def preview(
    conn: Connection, works: Sequence[Work], settings: Settings, *, priority: Priority, deadline: datetime | None
) -> tuple[ForecastReply, list[WarningReply]]:
    """The forecast, and a warning where the deadline comes first. Nothing is stored."""
    made = forecast_of(conn, works, settings)
    now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    finish, why, warnings = _finish(conn, made, works, now, _Wish(priority, deadline))
    seconds, cost = taken(made)
    reply = ForecastReply(
        images=made.images,
        gpu_seconds=seconds,
        cost=cost,
        currency=settings.currency or None if cost else None,
        batches_measured=made.measured,
        unknown_images=made.unknown_images,
        device_classes=list(made.device_classes),
        finish=finish,
        message="; ".join(filter(None, (unknown(made), why))),
    )
    return reply, warnings


def taken(made: Forecast) -> tuple[QuantilesReply | None, QuantilesReply | None]:
    """GPU seconds and money of a forecast; None where they are not known."""
    if made.p50 is None or made.p90 is None:
        return None, None
    seconds = QuantilesReply(p50=round(made.p50.seconds, 3), p90=round(made.p90.seconds, 3))
    if made.p50.cost is None or made.p90.cost is None:
        return seconds, None
    return seconds, QuantilesReply(p50=float(round(made.p50.cost, 6)), p90=float(round(made.p90.cost, 6)))


def unknown(made: Forecast) -> str:
    """Why nothing is told; "" where something is."""
    if not made.unknown_images:
        return ""
    return (
        f"unknown until the pilot: for {made.unknown_images:,} of {made.images:,} images fewer than {MEASURED} batches"
        f" of their kind were measured here (at most {made.least_measured})"
    )


def _finish(
    conn: Connection,
    made: Forecast,
    works: Sequence[Work],
    now: datetime,
    wish: _Wish,
) -> tuple[FinishReply | None, str, list[WarningReply]]:
    queues = {work.queue for work in works}
    if made.p50 is None or made.p90 is None or len(queues) != 1:
        return None, "" if len(queues) < 2 else "the finish of models in several queues is not told", []
    (queue,) = queues
    capacity = last_hour(conn, queue)
    if capacity.batches < _HOUR:
        said = f"the finish is unknown: {capacity.batches} batches in the last hour do not tell the capacity"
        return None, said, []
    others = load(conn, queue)

    def until(seconds: float, at: float | None = None) -> Served:
        lanes = _lanes(others, capacity.gpu_seconds_per_image, wish.priority, seconds)
        return served(lanes, TURNS_PER_PRIORITY, capacity.gpu_seconds_per_second, at)

    middle, high = (until(take.seconds).seconds for take in (made.p50, made.p90))
    finish = FinishReply(p50=now + timedelta(seconds=middle), p90=now + timedelta(seconds=high))
    deadline = wish.deadline
    if deadline is None or deadline >= finish.p50:
        return finish, "", []
    part = until(made.p50.seconds, max(0.0, (deadline - now).total_seconds())).done
    message = (
        f"about {int(made.images * part):,} of {made.images:,} images can be made by the deadline;"
        f" the last one is expected at {finish.p50.isoformat(timespec='minutes')}"
    )
    return finish, "", [WarningReply(code="deadline_infeasible", message=message)]


def _lanes(
    others: Iterable[tuple[str, bool, int, int]], seconds_per_image: float, priority: Priority, seconds: float
) -> Iterator[Waiting]:
    """What waits, and these images behind what waits of their tenant in their priority."""
    before, weight = 0.0, 1
    for of_priority, is_mine, of_tenant, images in others:
        if is_mine:
            weight = of_tenant
        if is_mine and of_priority == priority:
            before = images * seconds_per_image
        else:
            yield Waiting(of_priority, of_tenant, images * seconds_per_image)
    yield Waiting(priority, weight, before + seconds, mine=True)
