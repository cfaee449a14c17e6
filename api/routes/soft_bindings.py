"""/v1/soft-bindings: the C2PA Soft Binding Resolution API. A picture whose manifest was stripped gets it back here.

No key is needed, and it is off unless a setting names the tenants whose manifests anybody may have: a manifest was made
to be published with its picture, and whoever resolves one has read the watermark of the picture already. An id is 48
random bits, so manifests cannot be listed by guessing within the shares that an address has.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.edge.dependencies import Parts, PartsOf
from api.edge.in_turn import InTurn
from api.edge.limits.anonymous import Resolving
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.base import NoQuery
from api.schemas.soft_bindings import (
    AlgorithmReply,
    AlgorithmsReply,
    ByBindingBody,
    ByBindingQuery,
    ManifestQuery,
    MatchesReply,
    MatchReply,
    MaxResultsQuery,
)
from policy.marks.payload import ID_BITS
from policy.marks.provenance.carried import manifest_store
from policy.marks.stamp import SOFT_BINDING
from workers.errors import NotFound
from workers.jobs.asset_views import AssetView, asset_of_watermark, get_asset

router = APIRouter(route_class=InTurn, prefix="/v1/soft-bindings", tags=["Soft bindings"])
_ID = "urn:uuid:"  # before an asset's id
_CARRYING = ("image/png", "image/jpeg", "image/webp")


@router.get("/services/supportedAlgorithms", summary="Algorithms by which a manifest is found; no key needed")
def supported(caller: Resolving, query: Annotated[NoQuery, Query()]) -> AlgorithmsReply:
    """Our watermark. docs/marks.md says how it is read."""
    return AlgorithmsReply(watermarks=[AlgorithmReply(alg=SOFT_BINDING)], fingerprints=[])


@router.get("/matches/byBinding", summary="The manifest of a watermark; no key needed")
def matches(caller: Resolving, parts: PartsOf, query: Annotated[ByBindingQuery, Query()]) -> MatchesReply:
    """No match is an empty list. A picture that was recalled has none."""
    return _matches(parts, query.alg, query.value)


@router.post("/matches/byBinding", summary="The same, with the watermark in the body; no key needed")
def matches_of_body(
    caller: Resolving, parts: PartsOf, query: Annotated[MaxResultsQuery, Query()], body: ByBindingBody
) -> MatchesReply:
    """As GET."""
    return _matches(parts, body.alg, body.value)


@router.get(
    "/manifests/{manifestId}",
    response_class=Response,
    responses={
        200: {
            "content": {"application/c2pa": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The manifest store",
        }
    },
    summary="A manifest store by its id; no key needed",
)
def manifest(
    caller: Resolving,
    parts: PartsOf,
    query: Annotated[ManifestQuery, Query()],
    manifest_id: Annotated[str, Path(alias="manifestId", max_length=64)],
) -> Response:
    """As the released file carries it: signed, and bound to that file's bytes. 404 for a picture that was recalled."""
    if query.returnActiveManifest:
        said = "only whole stores are returned"
        complaint = Complaint("invalid", said, "Leave it out.", field="query.returnActiveManifest")
        raise Problem("invalid_parameters", f"query.returnActiveManifest: {said}.", errors=[complaint])
    found = _asset(parts, manifest_id)
    file = next((each for each in found.renditions if each.media_type in _CARRYING), None) if found else None
    store = manifest_store(parts.store.get(file.key)) if file else None
    if store is None:
        raise NotFound(f"no manifest {manifest_id}")
    return Response(store, media_type="application/c2pa")


def _matches(parts: Parts, alg: str, value: str) -> MatchesReply:
    watermark_id = _watermark_id(value)
    if alg != SOFT_BINDING:
        return MatchesReply(matches=[])
    for tenant in parts.settings.soft_binding_tenant_names:
        with parts.transaction(tenant) as conn:
            found = asset_of_watermark(conn, tenant, watermark_id)
        if found is not None and _is_public(found):
            return MatchesReply(matches=[MatchReply(manifestId=f"{_ID}{found.id}", similarityScore=100)])
    return MatchesReply(matches=[])


def _watermark_id(value: str) -> int:
    """Of base64 of six bytes, or of twelve hexadecimal digits, as the manifest has them."""
    try:
        said = base64.b64decode(value, altchars=b"-_" if "-" in value or "_" in value else None, validate=True)
        raw = said if len(said) == ID_BITS // 8 else bytes.fromhex(said.decode("ascii"))
        if len(raw) != ID_BITS // 8:
            raise ValueError
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        complaint = Complaint("invalid", "no watermark id", "Give base64 of its six bytes.", field="value")
        raise Problem("invalid_parameters", "value: it is no base64 of a watermark id.", errors=[complaint]) from error
    return int.from_bytes(raw, "big")


def _asset(parts: Parts, manifest_id: str) -> AssetView | None:
    asset_id = uuid_or_not_found(manifest_id.removeprefix(_ID), "manifest")
    for tenant in parts.settings.soft_binding_tenant_names:
        try:
            with parts.transaction(tenant) as conn:
                found = get_asset(conn, tenant, asset_id)
        except NotFound:
            continue
        return found if _is_public(found) else None
    return None


def _is_public(asset: AssetView) -> bool:
    return asset.state == "released"
