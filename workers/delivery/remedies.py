"""Remedies: what a caller can do about an image that was not released, in one sentence."""

from __future__ import annotations

from workers.states import ItemState

# Codes of failures; any other code has the sentence of _FAILED.
FAILURES = {
    "worker_lost": "Send it again; if it fails again, change its size or steps.",
    "out_of_memory": "Ask for a smaller picture, or fewer steps.",
    "mask_size": "Send a mask of the image's own size.",
    "mask_empty": "Send a mask with white pixels.",
    "mask_full": "Send a mask with black pixels.",
    "mask_missing": "Send a mask, or an image with transparency.",
    "no_product": "Send a mask of the product, or an image with transparency.",
    "no_place": "Choose a placement at which the product lies on the picture.",
    "input_erased": "Send the picture again, then the row.",
    "input_recalled": "Use another picture.",
    "drawing_gone": "Send the row again: the picture is drawn anew.",
    "drawing_recalled": "Nothing: the picture that it was made of was recalled.",
    "input_failed": "Send another picture: the input says what is wrong with it.",
    "model_missing": "Ask the operator to install the model on a worker, then send it again.",
}
_FAILED = "Send it again; if it fails again, tell the operator its code and item id."
_STATES = {
    ItemState.PENDING: "Nothing: it waits to be made.",
    ItemState.PLANNED: "Nothing: it is being made.",
    ItemState.HELD: "A reviewer releases or refuses it.",
    ItemState.REFUSED: "Change the text of the row so that the rule allows it, and send the row again.",
    ItemState.CANCELLED: "Send the row again if it is wanted after all.",
    ItemState.RECALLED: "Take every copy of it out of use.",
}


def remedy(state: str, reason: str | None) -> str:
    """ "" for a released image."""
    if state == ItemState.FAILED:
        return FAILURES.get(reason or "", _FAILED)
    return _STATES.get(ItemState(state), "")
