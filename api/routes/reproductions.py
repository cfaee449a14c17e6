"""/v1/assets/{asset_id}/reproductions: a released image is drawn again by the line, and both receipts are compared.

The repetition is a request of its own with the recipe, the seed and the texts of the first: it is screened by today's
policy, marked, counted against budgets, and recorded. It can equal the first to the last bit only where the run has the
same size, so an image that was drawn with `reproducible: strict`, alone, always can on the same device and versions.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection, select

from api.edge.auth import Reader, Submitter
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf
from api.edge.in_turn import InTurn
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Problem
from api.schemas.base import NoQuery
from api.schemas.fields import PathId
from api.schemas.recalls import refuse_recalled
from api.schemas.reproductions import ReproductionReply
from api.schemas.requests import SingleBody
from api.schemas.submission import AcceptedReply
from api.submission.single import check_single
from api.submission.store import store
from workers.errors import NotFound
from workers.jobs.asset_views import AssetView, get_asset
from workers.jobs.identification.tables import fingerprints
from workers.jobs.recall.views import marks_of
from workers.jobs.views import ItemView, get_item, get_request, list_items
from workers.recipes import MARK, Recipe
from workers.sampling.families.family import REMOVE_BACKGROUND, REPLACE_BACKGROUND
from workers.sampling.receipts.comparison import PIXELS, first_difference

_LABEL = "reproduces"  # in the metadata of the request that draws an asset again
_EQUAL_BITS = 10  # of 256: what another encoding of the same picture costs, at the most

router = APIRouter(route_class=InTurn, prefix="/v1/assets/{asset_id}/reproductions", tags=["Assets"])


@router.post("", status_code=202, response_model=AcceptedReply, summary="Draw an asset again")
def draw_again(
    asset_id: PathId, caller: Submitter, parts: PartsOf, once: OnceOf, query: Annotated[NoQuery, Query()]
) -> Response:
    """Answers with the request that draws it; what became of it is under its id below this address.

    409 where its prompt was erased, or where the model that is installed would draw by another recipe.
    """
    asset_id = uuid_or_not_found(asset_id, "asset")
    fingerprint = once.fingerprint()
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    with parts.transaction(caller.tenant) as conn:
        view = get_asset(conn, caller.tenant, asset_id)
        refuse_recalled(view, marks_of(conn, caller.tenant, [view.id]))
        item = get_item(conn, caller.tenant, view.item_id)
    if item.erased_at is not None:
        raise Problem("conflict", "The texts of this image were erased; nobody can draw it again.")
    recipe = Recipe.from_json(dict(view.provenance["recipe"]))
    if recipe.task == MARK:
        raise Problem("conflict", "Another tool made this picture; nothing here can draw it again.")
    with parts.transaction(caller.tenant) as conn:
        model = get_request(conn, caller.tenant, item.request_id).model
    try:
        checked = check_single(_asked(view, item, recipe, model), parts, caller.tenant)
    except Problem as refused:  # a model that is gone, an input that was erased
        raise Problem("conflict", f"It cannot be drawn again: {refused.detail}") from refused
    (again,) = checked.items(view.id)
    if again.recipe != recipe:
        raise Problem("conflict", f"It would be drawn by another recipe here: {_changed(recipe, again.recipe)}.")
    return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))


@router.get("/{request_id}", summary="How near an asset that was drawn again comes")
def read_reproduction(
    asset_id: PathId, request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> ReproductionReply:
    """By the digest of the pixels before any mark, then by the fingerprints of both."""
    asset_id, request_id = uuid_or_not_found(asset_id, "asset"), uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        first = get_asset(conn, caller.tenant, asset_id)
        request = get_request(conn, caller.tenant, request_id)
        if request.metadata.get(_LABEL) != asset_id:
            raise NotFound("this request draws no such asset again")
        (item,) = list_items(conn, caller.tenant, request_id, limit=1)
        drawn = get_asset(conn, caller.tenant, item.asset_id) if item.asset_id else None
        bits = _distance(conn, first, drawn) if drawn else None
    reply = ReproductionReply(
        asset_id=asset_id,
        request_id=request_id,
        state=item.state,
        drawn_asset_id=item.asset_id,
        result=None,
        difference=None,
        fingerprint_distance=bits,
    )
    if drawn is None:
        return reply
    then, now = (_receipt(view) for view in (first, drawn))
    if then.get(PIXELS) and then.get(PIXELS) == now.get(PIXELS):
        return reply.model_copy(update={"result": "exact"})
    result = "equal_to_the_eye" if bits is not None and bits <= _EQUAL_BITS else "different"
    return reply.model_copy(update={"result": result, "difference": first_difference(then, now)})


def _asked(view: AssetView, item: ItemView, recipe: Recipe, model: str) -> SingleBody:
    """The request that asked for it, of one image. A cut-out's recipe names the network that found the product."""
    again = {
        "name": f"reproduction of {view.id}",
        "prompt": item.prompt,
        "negative_prompt": item.negative_prompt,
        "custom_id": item.custom_id,
        "model": model if recipe.task == REMOVE_BACKGROUND else recipe.model,
        "task": recipe.task,
        **{each["role"]: each["input_id"] for each in view.provenance.get("inputs", ())},
        "strength": recipe.strength,
        "control": recipe.control,
        "ground": json.loads(recipe.ground) if recipe.ground else None,
        "lock": recipe.lock or None,
        "reference_scale": recipe.reference.scale if recipe.reference else None,
        "canvas": list(recipe.canvas) if recipe.canvas and recipe.task != REPLACE_BACKGROUND else None,
        "background": recipe.background or None,
        "width": recipe.width,
        "height": recipe.height,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        "scheduler": recipe.scheduler,
        "scheduler_options": list(recipe.scheduler_options),
        "reproducible": recipe.reproducible or None,
        "prompt_syntax": recipe.prompt_syntax or None,
        "upscale": recipe.upscale,
        "loras": [{"name": lora.name, "scale": lora.scale} for lora in recipe.loras],
        "seed": int(view.provenance["seed"]),
        "renditions": ["original"],
        "metadata": {_LABEL: view.id},
    }
    return SingleBody.model_validate(again)


def _receipt(view: AssetView) -> dict[str, str]:
    """With the size of the run and the place in it, which decide about the last bits too."""
    made = view.provenance
    place = {name: str(made[name]) for name in ("batch_size", "batch_position", "device")}
    return {**place, **made.get("receipt", {})}


def _changed(then: Recipe, now: Recipe) -> str:
    before, after = then.to_json(), now.to_json()
    names = (name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(sorted(names))


def _distance(conn: Connection, one: AssetView, other: AssetView) -> int | None:
    hashes = list(conn.scalars(select(fingerprints.c.whole).where(fingerprints.c.asset_id.in_((one.id, other.id)))))
    if len(hashes) < 2:
        return None
    before, after = (int.from_bytes(bits) for bits in hashes)
    return (before ^ after).bit_count()
