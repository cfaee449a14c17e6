"""Pydantic's findings in our words: a stable code, what is wrong, what to do, at which field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from api.edge.problems import Complaint, did_you_mean

MAX_COMPLAINTS = 100  # of one answer, as docs/api.md says
_LONGEST_FIELD = 200  # what a caller named is shown cut, or an answer would be as long as the request and longer
_LONGEST_MESSAGE = 500
_NUMBER = "Send a JSON number without quotes, spaces or units."

# pydantic's type: (our stable code, remedy). Other types keep their own name.
REMEDIES = {
    "missing": ("missing", "Add it."),
    "extra_forbidden": ("unknown_field", "Remove it."),
    "int_type": ("not_an_integer", _NUMBER),
    "int_from_float": ("not_an_integer", _NUMBER),
    "int_parsing": ("not_an_integer", "Send digits only."),
    "float_type": ("not_a_number", _NUMBER),
    "bool_type": ("not_a_boolean", "Send true or false, without quotes."),
    "string_type": ("not_a_string", "Send text in quotes."),
    "dict_type": ("not_an_object", 'Send {"name": value, ...}.'),
    "model_type": ("not_an_object", 'Send {"name": value, ...}.'),
    "list_type": ("not_a_list", "Send [value, ...]."),
    "tuple_type": ("not_a_list", "Send [value, ...]."),
    "greater_than": ("too_small", "Send a larger number."),
    "greater_than_equal": ("too_small", "Send a larger number."),
    "less_than_equal": ("too_large", "Send a smaller number."),
    "finite_number": ("not_finite", "Send a finite number."),
    "string_too_short": ("too_short", "Send more text."),
    "string_too_long": ("too_long", "Shorten it."),
    "too_long": ("too_long", "Send fewer."),
    "too_short": ("too_short", "Send more."),
    "enum": ("not_a_choice", "Send one of those."),
    "literal_error": ("not_a_choice", "Send one of those."),
    "string_pattern_mismatch": ("pattern", "See the API's schema at /docs."),
    "value_error": ("invalid", "Send another value."),
}
# Where pydantic's own words are about Python.
_MESSAGES = {
    "missing": "this field is required",
    "extra_forbidden": "there is no such field",
    "int_type": "this is no whole number",
    "int_from_float": "this is no whole number",
    "int_parsing": "this is no whole number",
    "float_type": "this is no number",
    "bool_type": "this is neither true nor false",
    "string_type": "this is no text",
    "dict_type": "this is no JSON object",
    "model_type": "this is no JSON object",
    "list_type": "this is no JSON list",
    "tuple_type": "this is no JSON list",
    "string_pattern_mismatch": "this is not of the documented form",
}


def from_validation(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> list[Complaint]:
    """A complaint for each of the first 100 errors; with the model, an unknown field is answered with the nearest one.

    No complaint grows with what was sent: names and messages are cut.
    """
    return [_complaint(error, model) for error in errors[:MAX_COMPLAINTS]]


def _complaint(error: Mapping[str, Any], model: type[BaseModel] | None) -> Complaint:
    kind, place = error["type"], [_cut(str(part), _LONGEST_FIELD) for part in error["loc"]]
    code, remedy = REMEDIES.get(kind, (kind, "See the API's schema at /docs."))
    if kind == "extra_forbidden" and model and len(place) == 1:
        remedy += did_you_mean(place[0], list(model.model_fields))
    message = _MESSAGES.get(kind) or _lower_first(error["msg"])
    return Complaint(
        code, _cut(message, _LONGEST_MESSAGE), remedy, field=_cut(".".join(place), _LONGEST_FIELD) or "body"
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _lower_first(sentence: str) -> str:
    plain = sentence.removeprefix("Value error, ").removeprefix("Input ")
    return plain[:1].lower() + plain[1:]
