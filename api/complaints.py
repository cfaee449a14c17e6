"""Pydantic's findings in our words: a stable code, what is wrong, what to do, at which field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from api.problems import Complaint, did_you_mean

_NUMBER = "Send a JSON number without quotes, spaces or units."

# pydantic's type: our code, our words (None keeps pydantic's), remedy. Other types keep their own name and words.
_WORDS: dict[str, tuple[str, str | None, str]] = {
    "missing": ("missing", "this field is required", "Add it."),
    "extra_forbidden": ("unknown_field", "there is no such field", "Remove it."),
    "int_type": ("not_an_integer", "this is no whole number", _NUMBER),
    "int_from_float": ("not_an_integer", "this is no whole number", _NUMBER),
    "int_parsing": ("not_an_integer", "this is no whole number", "Send digits only."),
    "float_type": ("not_a_number", "this is no number", _NUMBER),
    "bool_type": ("not_a_boolean", "this is neither true nor false", "Send true or false, without quotes."),
    "string_type": ("not_a_string", "this is no text", "Send text in quotes."),
    "dict_type": ("not_an_object", "this is no JSON object", 'Send {"name": value, ...}.'),
    "model_type": ("not_an_object", "this is no JSON object", 'Send {"name": value, ...}.'),
    "list_type": ("not_a_list", "this is no JSON list", "Send [value, ...]."),
    "greater_than_equal": ("too_small", None, "Send a larger number."),
    "less_than_equal": ("too_large", None, "Send a smaller number."),
    "finite_number": ("not_finite", None, "Send a finite number."),
    "string_too_short": ("too_short", None, "Send more text."),
    "string_too_long": ("too_long", None, "Shorten it."),
    "too_long": ("too_long", None, "Send fewer."),
    "too_short": ("too_short", None, "Send more."),
    "enum": ("not_a_choice", None, "Send one of those."),
    "literal_error": ("not_a_choice", None, "Send one of those."),
    "string_pattern_mismatch": ("pattern", "this is not of the documented form", "See the API's schema at /docs."),
    "value_error": ("invalid", None, "Send another value."),
}


def from_validation(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[Complaint]:
    """One complaint for every error; with the model, an unknown field is told its nearest neighbour."""
    return [_complaint(error, model) for error in errors]


def _complaint(error: Mapping[str, Any], model: type[BaseModel] | None) -> Complaint:
    kind, place = error["type"], [str(part) for part in error["loc"]]
    code, message, remedy = _WORDS.get(kind, (kind, None, "See the API's schema at /docs."))
    if kind == "extra_forbidden" and model and len(place) == 1:
        remedy += did_you_mean(place[0], list(model.model_fields))
    return Complaint(code, message or _lower_first(error["msg"]), remedy, field=".".join(place) or "body")


def _lower_first(sentence: str) -> str:
    plain = sentence.removeprefix("Value error, ").removeprefix("Input ")
    return plain[:1].lower() + plain[1:]
