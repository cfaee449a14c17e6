"""Review: held pictures, one after the other, by keyboard. The page's script calls the API; this sends its frame."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.console.failing import PageRoute
from api.console.visits import VisitOf

router = APIRouter(route_class=PageRoute)
BLURRED = ("adult", "minors", "nudity", "sexual")  # categories whose pictures are shown when a person asks for it
REASONS = ("brand", "person", "nudity", "violence", "hate", "broken", "wrong", "text", "other")  # by digit, 1 to 9


@router.get("/console/review")
async def review(visit: VisitOf, category: str = "") -> Response:
    """The first page of the queue tells whether there is anything to do, and whether the key may do it."""
    queue = await visit.get("/v1/reviews", limit=500, category=category)
    everything = queue if not category else await visit.get("/v1/reviews", limit=500)
    categories = sorted({each for item in everything["data"] for each in item["categories"]})
    return visit.page(
        "review.html",
        section="review",
        waiting=len(queue["data"]),
        more=queue["next_cursor"] is not None,
        category=category,
        categories=categories,
        reasons=REASONS,
        blurred=BLURRED,
    )
