"""Pydantic's findings in our words: a stable code, what is wrong, what to do, at which field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from api.problems import Complaint, did_you_mean

# pydantic's type: (our code, remedy). Anything else keeps pydantic's type and message.
_REMEDIES = {
    "missing": ("missing", "Add the field."),
    "extra_forbidden": ("unknown_field", "Remove it."),
    "int_type": ("not_an_integer", "Send a JSON number without quotes, fraction or spaces."),
    "int_from_float": ("not_an_integer", "Send a whole number."),
    "int_parsing": ("not_an_integer", "Send digits only."),
    "float_type": ("not_a_number", "Send a JSON number without quotes."),
    "bool_type": ("not_a_boolean", "Send true or false."),
    "string_type": ("not_a_string", "Send text in quotes."),
    "dict_type": ("not_an_object", "Send a JSON object."),
    "model_type": ("not_an_object", "Send a JSON object."),
    "model_attributes_type": ("not_an_object", "Send a JSON object."),
    "list_type": ("not_a_list", "Send a JSON list."),
    "greater_than_equal": ("too_small", "Send a larger number."),
    "greater_than": ("too_small", "Send a larger number."),
    "less_than_equal": ("too_large", "Send a smaller number."),
    "less_than": ("too_large", "Send a smaller number."),
    "finite_number": ("not_finite", "Send a finite number."),
    "string_too_short": ("too_short", "Send more text."),
    "string_too_long": ("too_long", "Shorten the text."),
    "too_long": ("too_long", "Send fewer."),
    "too_short": ("too_short", "Send more."),
    "enum": ("not_a_choice", "Send one of the values named in the message."),
    "literal_error": ("not_a_choice", "Send one of the values named in the message."),
    "string_pattern_mismatch": ("pattern", "Send text of the documented form."),
}


def from_validation(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[Complaint]:
    """One complaint for every error; with the model, an unknown field is told its nearest neighbour."""
    return [_complaint(error, model) for error in errors]


def _complaint(error: Mapping[str, Any], model: type[BaseModel] | None) -> Complaint:
    kind, place = error["type"], [str(part) for part in error["loc"]]
    code, remedy = _REMEDIES.get(kind, (kind, "See the API's schema at /docs."))
    message = error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "there is no such field"
        known = list(model.model_fields) if model and len(place) == 1 else []
        remedy = remedy + did_you_mean(place[-1], known)
    elif kind == "missing":
        message = "this field is required"
    return Complaint(code, _lower_first(message), remedy, field=".".join(place) or "body")


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
