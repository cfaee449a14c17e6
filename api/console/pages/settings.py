"""Settings of the tenant: keys, webhooks, targets of delivery, recalls and legal holds, for its admins."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import ChangeOf, VisitOf
from api.edge.problems import Problem

router = APIRouter(route_class=PageRoute)
AT = "/console/settings"
_ON_A_PAGE, _ALL = 50, 500
# What a webhook may be told of, as the API names it (a test compares the two).
WEBHOOK_EVENTS = (
    *("asset.released", "asset.recalled", "campaign.pilot_ready", "request.paused", "request.finished"),
    *("review.waiting", "budget.low", "delivery.paused"),
    *("catalogue.paused", "catalogue.run_finished", "catalogue.tick_stopped"),
)
_WEBHOOK_ACTS = {"test": ("POST", "/test"), "enable": ("POST", "/enable"), "delete": ("DELETE", "")}
_TARGET_ACTS = {"check": ("POST", "/check"), "delete": ("DELETE", "")}


@router.get(AT)
async def show(visit: VisitOf) -> Response:
    """The keys themselves are shown nowhere."""
    visit.demand("admin")
    lists = {
        "keys": await visit.get("/v1/keys", limit=_ALL),
        "webhooks": await visit.get("/v1/webhooks", limit=_ALL),
        "targets": await visit.get("/v1/targets", limit=_ALL) if visit.may("read") else {"data": []},
        "recalls": await visit.get("/v1/recalls", limit=_ON_A_PAGE),
        "holds": await visit.get("/v1/legal-holds", limit=_ON_A_PAGE),
    }
    shown = {name: page["data"] for name, page in lists.items()}
    return visit.page("settings.html", section="settings", events=WEBHOOK_EVENTS, **shown)


@router.post(f"{AT}/keys/{{key_id}}/revoke")
async def revoke(visit: VisitOf, key_id: str, form: ChangeOf) -> Response:
    """The key stops working at once, and with it its sessions; of one's own key, this one too."""
    await visit.send("DELETE", f"/v1/keys/{quote(key_id, safe='')}")
    return RedirectResponse(AT, 303)


@router.post(f"{AT}/webhooks")
async def add_webhook(visit: VisitOf, form: ChangeOf) -> Response:
    """The secret by which its messages are verified is on this page and nowhere else; no browser keeps the page."""
    events = [event for event in WEBHOOK_EVENTS if f"event-{event}" in form]
    made = await visit.send("POST", "/v1/webhooks", {"url": form.get("url", "").strip(), "events": events})
    return visit.page("webhook_added.html", section="settings", webhook=made)


@router.post(f"{AT}/webhooks/{{webhook_id}}/{{act}}")
async def change_webhook(visit: VisitOf, webhook_id: str, act: str, form: ChangeOf) -> Response:
    """Send it a test message, enable it again, or delete it."""
    return await _act(visit, f"/v1/webhooks/{quote(webhook_id, safe='')}", act, _WEBHOOK_ACTS)


@router.post(f"{AT}/targets/{{target_id}}/{{act}}")
async def change_target(visit: VisitOf, target_id: str, act: str, form: ChangeOf) -> Response:
    """Check it anew, or remove it."""
    return await _act(visit, f"/v1/targets/{quote(target_id, safe='')}", act, _TARGET_ACTS)


async def _act(visit: VisitOf, address: str, act: str, acts: dict[str, tuple[str, str]]) -> Response:
    if act not in acts:
        raise Problem("not_found", f"What can be done to it is {', '.join(acts)}.")
    method, path = acts[act]
    await visit.send(method, address + path)
    return RedirectResponse(AT, 303)
