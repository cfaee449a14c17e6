"""Settings of the tenant: keys, webhooks, targets of delivery, channels, recalls and legal holds, for its admins.

A new key is answered as a file that the browser saves and keeps no copy of: it stands in no page.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import ChangeOf, VisitOf, whole_number
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
KEY_SCOPES = ("submit", "read", "review", "audit", "admin", "agent")  # the same
_WEBHOOK_ACTS = {"test": ("POST", "/test"), "enable": ("POST", "/enable"), "delete": ("DELETE", "")}
_TARGET_FIELDS = ("name", "endpoint", "region", "bucket", "prefix", "access_key_id", "secret_access_key", "on_recall")
_TARGET_ACTS = {"check": ("POST", "/check"), "delete": ("DELETE", "")}


@router.get(AT)
async def show(visit: VisitOf) -> Response:
    """The keys themselves are shown nowhere."""
    visit.demand("admin")
    channels = await visit.get("/v1/channels") if visit.may("read") else {"data": []}
    lists = {
        "keys": await visit.get("/v1/keys", limit=_ALL),
        "webhooks": await visit.get("/v1/webhooks", limit=_ALL),
        "targets": await visit.get("/v1/targets", limit=_ALL) if visit.may("read") else {"data": []},
        "recalls": await visit.get("/v1/recalls", limit=_ON_A_PAGE),
        "holds": await visit.get("/v1/legal-holds", limit=_ON_A_PAGE),
    }
    shown = {name: page["data"] for name, page in lists.items()}
    shown["channels"] = channels["data"]
    return visit.page("settings.html", section="settings", events=WEBHOOK_EVENTS, scopes=KEY_SCOPES, **shown)


@router.post(f"{AT}/keys")
async def create_key(visit: VisitOf, form: ChangeOf) -> Response:
    """The new key as a file to save. It is in this answer and nowhere else; no page and no cache has it."""
    asked: dict[str, Any] = {
        "name": form.get("name", "").strip(),
        "scopes": [scope for scope in KEY_SCOPES if f"scope-{scope}" in form],
        **{field: form[field].strip() for field in ("person",) if form.get(field, "").strip()},
        **{field: whole_number(form[field]) for field in ("expires_in_days", "daily_images") if form.get(field)},
    }
    made = await visit.send("POST", "/v1/keys", asked)
    ends = made["expires_at"] or "never"
    lines = (
        f"# {made['name']}: {', '.join(made['scopes'])}; expires: {ends}; id {made['id']}",
        f"PRESSWORK_KEY={made['key']}",
    )
    name = re.sub(r"[^a-z0-9]+", "-", made["name"].lower()).strip("-")[:40] or "key"
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="presswork-{name}.env"',
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    return PlainTextResponse("\n".join(lines) + "\n", headers=headers)


@router.post(f"{AT}/targets")
async def add_target(visit: VisitOf, form: ChangeOf) -> Response:
    """A bucket of the tenant's own. Its secret goes in and comes back on no page."""
    named = {field: form.get(field, "").strip() for field in _TARGET_FIELDS}
    await visit.send("POST", "/v1/targets", {field: value for field, value in named.items() if value})
    return RedirectResponse(AT, 303)


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
