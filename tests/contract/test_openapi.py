"""OpenAPI document: a validator accepts it, names are unique, and every field that is sent has a bound."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from api.capabilities import narrow_budget
from api.schemas.budgets import BudgetBody
from api.schemas.fields import LINE, PROSE
from tests.support.client import ApiTenant


@pytest.fixture
def document(api: ApiTenant) -> dict[str, Any]:
    return api.server.app().openapi()


def test_a_validator_accepts_the_document(document: dict[str, Any]) -> None:
    validate(document)


def test_titles_of_schemas_are_unique(document: dict[str, Any]) -> None:
    titles = [schema["title"] for schema in document["components"]["schemas"].values()]
    assert sorted(titles) == sorted(set(titles))


def test_every_text_and_list_that_is_sent_has_a_bound(document: dict[str, Any]) -> None:
    bodies = [
        media["schema"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for name, media in operation.get("requestBody", {}).get("content", {}).items()
        if name == "application/json"
    ]
    bodies.append({"$ref": "#/components/schemas/CampaignBody"})
    unbounded = {place for body in bodies for place in _unbounded(body, document, "body")}
    assert unbounded == set()


def test_every_parameter_has_a_bound(document: dict[str, Any]) -> None:
    unbounded = {
        place
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", [])
        for place in _unbounded(parameter["schema"], document, f"{method} {path} {parameter['name']}")
    }
    assert unbounded == set()


def test_the_form_of_an_edit_is_one_object_of_what_text_and_files_can_say(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]
    form, generation = content["multipart/form-data"]["schema"], document["components"]["schemas"]["ImagesBody"]
    assert form["properties"].keys() == generation["properties"].keys() - {"loras", "metadata"} | {"image", "mask"}
    assert set(form["required"]) == {"prompt", "image"}
    assert form["additionalProperties"] is False
    assert not any({"type": "null"} in field.get("anyOf", []) for field in form["properties"].values())


@pytest.mark.parametrize("currency", ["", "CHF"])
def test_a_budget_in_money_is_documented_as_this_installation_counts(currency: str) -> None:
    schema = BudgetBody.model_json_schema()
    narrow_budget(schema, currency)
    priced = [example for example in schema["examples"] if "cost" in example]
    assert [example["currency"] for example in priced] == ([currency] if currency else [])
    assert (schema["properties"]["cost"].get("type") == "null") is (not currency)
    assert ({"enum": [currency], "type": "string"} in schema["properties"]["currency"]["anyOf"]) is bool(currency)
    assert [BudgetBody.model_validate(example) for example in schema["examples"]]


@pytest.mark.parametrize(
    "character", ["\0", "\n", "\x1b", "\x85", "\u00ad", "\u200b", "\u202e", "\ufeff", "\U000e0041"]
)
def test_the_documented_form_of_a_line_has_nothing_invisible(character: str) -> None:
    assert re.fullmatch(LINE, f"a{character}b") is None
    assert re.fullmatch(LINE, "Müller's 写真 🎒") is not None


def test_the_documented_form_of_a_line_refuses_every_invisible_character_that_is_assigned() -> None:
    invisible = [
        chr(point)
        for point in range(0x110000)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs") and not chr(point).isprintable()
    ]
    assert len(invisible) > 1_000
    assert [hex(ord(one)) for one in invisible if re.fullmatch(LINE, one)] == []


def test_the_documented_form_of_prose_has_line_breaks_and_no_other_control() -> None:
    assert re.fullmatch(PROSE, "one\n\ttwo\r\n") is not None
    controls = [chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) == "Cc"]
    assert {one for one in controls if re.fullmatch(PROSE, one)} == {"\t", "\n", "\r"}


def _unbounded(schema: dict[str, Any], document: dict[str, Any], place: str) -> Iterator[str]:
    """Places of texts without a longest length and of lists without a largest one."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    alternatives = () if "properties" in schema else schema.get("anyOf", ())  # of an object: which fields are needed
    for branch in alternatives:
        yield from _unbounded(branch, document, place)
    for name, field in schema.get("properties", {}).items():
        yield from _unbounded(field, document, f"{place}.{name}")
    if isinstance(extra := schema.get("additionalProperties"), dict):
        yield from _unbounded(extra, document, f"{place}.*")
        if "maxProperties" not in schema or "maxLength" not in schema.get("propertyNames", {}):
            yield f"{place} (names)"
    match schema.get("type"):
        case "array":
            yield from _unbounded(schema["items"], document, f"{place}[]")
            if "maxItems" not in schema:
                yield place
        case "string" if not ({"maxLength", "enum", "const", "format"} & schema.keys()):
            if not re.fullmatch(r"\^.*[}0-9a-z]\$", schema.get("pattern", "")) or "*" in schema["pattern"]:
                yield place
        case "integer" | "number" if schema.keys() & {"exclusiveMinimum", "minimum"} and "maximum" not in schema:
            yield place
