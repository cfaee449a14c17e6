"""OpenAPI document: bodies that FastAPI does not read itself, and problems in the place of its own errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.capabilities import narrow_budget, narrow_lora, narrow_options
from api.edge.dependencies import Parts
from api.edge.problems import MEDIA_TYPE
from api.schemas.added_channels import AddedChannelsBody
from api.schemas.batches import BatchBody
from api.schemas.budgets import BudgetBody, LimitsBody
from api.schemas.catalogue_runs import ApplyBody, PicturesBody, RetireBody, RollbackBody
from api.schemas.catalogues import CatalogueBody
from api.schemas.control import CancelBody, RequestPatchBody, RetryBody
from api.schemas.files import MAX_EXPIRY_SECONDS, MIN_EXPIRY_SECONDS
from api.schemas.images import ImagesBody
from api.schemas.inputs import MAX_CONSENT_CHARS, MAX_FILE_NAME_CHARS, AddressBody
from api.schemas.keys import KeyBody
from api.schemas.marks import MarksBody
from api.schemas.models import ModelDecisionBody
from api.schemas.pilots import PilotDecisionBody
from api.schemas.privacy import ErasureBody, LegalHoldBody
from api.schemas.problems import ProblemReply
from api.schemas.recalls import RecallBody
from api.schemas.requests import CampaignBody, LoraBody, SingleBody
from api.schemas.reviews import DecisionBody, DecisionsBody, ReviewClaimsBody
from api.schemas.sources import SourceBucketBody
from api.schemas.targets import TargetBody
from api.schemas.webhook_messages import MESSAGES, webhooks_member
from api.schemas.webhooks import WebhookBody, WebhookPatchBody

TAGS = [
    {"name": "Requests", "description": "Ask for images, see how far they have come, pause, change, cancel."},
    {"name": "Campaigns", "description": "Ask for thousands of images with one spreadsheet."},
    {"name": "Pilots", "description": "The sample of a campaign that is made first, and a person's decision about it."},
    {"name": "Inputs", "description": "Send pictures in that images are made from."},
    {"name": "Marks", "description": "Mark pictures that another tool made."},
    {"name": "Catalogues", "description": "Plan what a feed asks for, apply that plan, see what is live, go back."},
    {"name": "OpenAI", "description": "For clients of the OpenAI API; what is wrong with a request is 400 here."},
    {"name": "Budgets", "description": "How many images may be made, and how many were."},
    {"name": "Results", "description": "The rows that were sent with what became of each, and the files by name."},
    {"name": "Delivery", "description": "Buckets of your own that released files are delivered to."},
    {"name": "Live", "description": "Events of requests as they happen, as server-sent events."},
    {"name": "Items", "description": "One image to make, and what became of it."},
    {"name": "Assets", "description": "Released images: screened, marked, signed, stored."},
    {"name": "Reviews", "description": "Held images: look at them, release or refuse them."},
    {"name": "Audit", "description": "What the ledger says."},
    {"name": "Models", "description": "What may be used here, and for what."},
    {"name": "Channels", "description": "Presets of the places where images are shown."},
    {"name": "Identify", "description": "Whose picture is this?"},
    {"name": "Detect", "description": "The same for anybody, without a key, where the installation allows it."},
    {"name": "Soft bindings", "description": "C2PA's resolution API: a manifest store by the watermark of a picture."},
    {"name": "Recalls", "description": "Take released images back, and the signed list of what was taken back."},
    {"name": "Webhooks", "description": "Addresses that receive messages about assets, requests and reviews."},
    {"name": "Privacy", "description": "Erase private text, and hold back what must not be erased."},
    {"name": "Keys", "description": "API keys of your tenant."},
    {"name": "Operations", "description": "For probes and scrapers; no key needed."},
]

DESCRIPTION = """
Presswork turns prompts and spreadsheets into images that are screened, marked, signed, stored and explained.

**Keys.** Send `Authorization: Bearer pw_...` with every call to `/v1`. A key sees its own tenant alone.

**Answers.** Every answer that is not a success is `application/problem+json` (RFC 9457) with a stable `code`; `errors`
say where (row, line, column or field) and what to do. Refusals by policy are answers, not errors.

**Repeating.** Send `Idempotency-Key` with any POST, PATCH or DELETE: a repeat is answered with the first answer, and
the work is done once.

**Lists** come in pages: send `next_cursor` back as `cursor` until it is null.

**Limits.** The bounds of a request's options are those of the installed models and of the settings.
"""

_CAMPAIGN_BODY = {
    "type": "object",
    "required": ["spec", "file"],
    "additionalProperties": False,
    "properties": {
        "spec": {"$ref": "#/components/schemas/CampaignBody"},
        "file": {
            "type": "string",
            "contentMediaType": "text/csv",
            "format": "binary",
            "description": "the table: CSV, Excel, JSON lines, Parquet or a Google Merchant feed, also in ZIP or gzip",
        },
        "pictures": {
            "type": "string",
            "contentMediaType": "application/zip",
            "format": "binary",
            "description": "a ZIP of pictures, which rows name by their path",
        },
    },
}
_PLAN_BODY = {
    "type": "object",
    "required": ["catalogue"],
    "additionalProperties": False,
    "properties": {
        "catalogue": {"$ref": "#/components/schemas/CatalogueBody"},
        "file": {
            "type": "string",
            "contentMediaType": "text/csv",
            "format": "binary",
            "description": "the feed, as the table of a campaign; left out where the catalogue names its address",
        },
        "pictures": {"$ref": "#/components/schemas/PicturesBody"},
    },
}
_FILE_BODY = {
    "type": "object",
    "required": ["purpose", "file"],
    "additionalProperties": False,
    "properties": {
        "purpose": {"type": "string", "enum": ["batch"]},
        "file": {"type": "string", "contentMediaType": "application/jsonl", "format": "binary"},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {
            "type": "integer",
            "minimum": MIN_EXPIRY_SECONDS,
            "maximum": MAX_EXPIRY_SECONDS,
            "description": "left out: 30 days",
        },
    },
    "dependentRequired": {
        "expires_after[anchor]": ["expires_after[seconds]"],
        "expires_after[seconds]": ["expires_after[anchor]"],
    },
}
_PICTURE_BODY: dict[str, Any] = {
    media_type: {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    for media_type in ("application/octet-stream", "image/*")
}
_EDIT_FILES: dict[str, Any] = {
    "image": {"type": "string", "format": "binary", "description": "PNG, JPEG, WebP or AVIF"},
    "mask": {"type": "string", "format": "binary", "description": "of the image's own size"},
}
_NOT_IN_FORMS = ("loras", "metadata")  # a form has no lists and no objects
_INPUT_BODY: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "additionalProperties": False,
            "properties": {
                "file": {"type": "string", "format": "binary", "description": "PNG, JPEG, WebP or AVIF"},
                "name": {"type": "string", "maxLength": MAX_FILE_NAME_CHARS},
                "consent": {"type": "string", "maxLength": MAX_CONSENT_CHARS},
            },
        }
    },
    "application/json": {"schema": {"$ref": "#/components/schemas/AddressBody"}},
    **_PICTURE_BODY,
}
_JSON_BODIES: dict[tuple[str, str], type[BaseModel]] = {
    ("/v1/requests", "post"): SingleBody,
    ("/v1/requests/{request_id}", "patch"): RequestPatchBody,
    ("/v1/requests/{request_id}/channels", "post"): AddedChannelsBody,
    ("/v1/requests/{request_id}/cancel", "post"): CancelBody,
    ("/v1/requests/{request_id}/retry", "post"): RetryBody,
    ("/v1/requests/{request_id}/pilot/accept", "post"): PilotDecisionBody,
    ("/v1/requests/{request_id}/pilot/reject", "post"): PilotDecisionBody,
    ("/v1/images/generations", "post"): ImagesBody,
    ("/v1/marks", "post"): MarksBody,
    ("/v1/catalogues/{name}/plans/{plan_id}/apply", "post"): ApplyBody,
    ("/v1/catalogues/{name}/rollback", "post"): RollbackBody,
    ("/v1/catalogues/{name}/retire", "post"): RetireBody,
    ("/v1/catalogues/{name}/schedule", "put"): CatalogueBody,
    ("/v1/targets", "post"): TargetBody,
    ("/v1/sources", "post"): SourceBucketBody,
    ("/v1/batches", "post"): BatchBody,
    ("/v1/budgets", "put"): BudgetBody,
    ("/v1/erasures", "post"): ErasureBody,
    ("/v1/legal-holds", "post"): LegalHoldBody,
    ("/v1/keys", "post"): KeyBody,
    ("/v1/recalls", "post"): RecallBody,
    ("/v1/models/{model}/decision", "put"): ModelDecisionBody,
    ("/v1/webhooks", "post"): WebhookBody,
    ("/v1/webhooks/{webhook_id}", "patch"): WebhookPatchBody,
    ("/v1/reviews", "post"): DecisionsBody,
    ("/v1/reviews/claims", "post"): ReviewClaimsBody,
    ("/v1/reviews/{item_id}", "post"): DecisionBody,
}
_MAY_BE_EMPTY = {("/v1/requests/{request_id}/cancel", "post"), ("/v1/requests/{request_id}/retry", "post")}
_OTHER_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("/v1/identify", "post"): _PICTURE_BODY,
    ("/v1/detect", "post"): _PICTURE_BODY,
    ("/v1/files", "post"): {
        "multipart/form-data": {"schema": _FILE_BODY, "encoding": {"file": {"contentType": "application/jsonl"}}}
    },
    ("/v1/inputs", "post"): _INPUT_BODY,
    ("/v1/campaigns", "post"): {
        "multipart/form-data": {
            "schema": _CAMPAIGN_BODY,
            "encoding": {"spec": {"contentType": "application/json"}, "file": {"contentType": "text/csv"}},
        }
    },
    ("/v1/catalogues/{name}/plans", "post"): {
        "multipart/form-data": {
            "schema": _PLAN_BODY,
            "encoding": {
                **{part: {"contentType": "application/json"} for part in ("catalogue", "pictures")},
                "file": {"contentType": "text/csv"},
            },
        }
    },
}
_NAMED = (AddressBody, CampaignBody, CatalogueBody, PicturesBody)  # by the bodies that are no JSON alone
_OWN: list[type[BaseModel]] = [*_JSON_BODIES.values(), *_NAMED, *MESSAGES.values(), ProblemReply]
_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemReply"}}},
}


def operation_id(route: APIRoute) -> str:
    """ "requests_submit_single": what generated clients call the operation."""
    return f"{str(route.tags[0]).lower().replace(' ', '_')}_{route.name}" if route.tags else route.name


def install(app: FastAPI) -> None:
    """Make `app.openapi()` answer with the whole document. Built once, on first use."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS)
    components = schema["components"]["schemas"]
    _, ours = models_json_schema([(model, "validation") for model in _OWN], ref_template="#/components/schemas/{model}")
    components.update(ours["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    parts: Parts = app.state.parts
    for options in (SingleBody, CampaignBody):
        narrow_options(components[options.__name__], parts.registry, parts.settings)
    narrow_lora(components[LoraBody.__name__], parts.registry)
    for limits in (BudgetBody, LimitsBody):
        narrow_budget(components[limits.__name__], parts.settings.currency)
    edit = {"multipart/form-data": {"schema": _edit_body(components[ImagesBody.__name__])}}
    schema["paths"]["/v1/images/edits"]["post"]["requestBody"] = {"required": True, "content": edit}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _PROBLEM
            if "501" in operation["responses"]:  # what is not there yet answers nothing else
                operation["responses"]["501"] = _PROBLEM
            if body := _body(path, method):
                operation["requestBody"] = {"required": (path, method) not in _MAY_BE_EMPTY, "content": body}
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _never_null(parameter["schema"])
    schema["webhooks"] = webhooks_member()
    return schema


def _body(path: str, method: str) -> dict[str, Any] | None:
    """The content of a request body that FastAPI does not read itself."""
    if model := _JSON_BODIES.get((path, method)):
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return _OTHER_BODIES.get((path, method))


def _edit_body(of_images: dict[str, Any]) -> dict[str, Any]:
    """The form of an edit: a picture, and each field of a generation that text can say.

    One flat object. Two schemas under `allOf` would each refuse the other's fields.
    """
    said = {name: _never_null(one) for name, one in of_images["properties"].items() if name not in _NOT_IN_FORMS}
    return {
        "title": "EditBody",
        "type": "object",
        "required": [*of_images["required"], "image"],
        "additionalProperties": False,
        "properties": {
            **{name: {key: value for key, value in one.items() if key != "default"} for name, one in said.items()},
            **_EDIT_FILES,
        },
    }


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter without null: a URL or a header has no way to say it, only to leave it out."""
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if not branches:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**branches[0], **rest} if len(branches) == 1 else {"anyOf": branches, **rest}
