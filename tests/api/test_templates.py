"""Templates: names of columns and nothing else, values are data, and every mistake is named with its place."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.templates import Template, TemplateInvalid, program_sign
from workers.sheets.names import clean_name

_names = st.text(st.characters(codec="utf-8", exclude_characters="{}?|"), min_size=1).filter(clean_name)


def _rendered(text: str, values: Mapping[str, str]) -> str:
    template = Template.parse(text).bind({name: place for place, name in enumerate(values)})
    assert template.unknown == ()
    return template.render([*values.values()])


def test_placeholders_are_replaced_and_listed_once_in_order() -> None:
    template = Template.parse("a {colour} {shape}, {colour}")
    assert [placeholder.text for placeholder in template.placeholders] == ["colour", "shape"]
    assert (
        _rendered("a {colour} {shape}, {colour}", {"colour": "red", "shape": "car", "other": "x"}) == "a red car, red"
    )


def test_doubled_braces_are_braces() -> None:
    assert _rendered("{{{a}}} {{b}}", {"a": "1"}) == "{1} {b}"


def test_values_are_data_and_are_never_read_again() -> None:
    value = "{b} {{ {0.__class__} %s ${x}"
    assert _rendered("{a}", {"a": value, "b": "secret"}) == value


@pytest.mark.parametrize(
    "name",
    [
        "Product Name",
        "色",
        "Body (HTML)",
        "Meta: color",
        "a.b",
        "a[0]",
        "100 %!",
        "In stock?",
        "a|b",
        "x|y?",
        "Größe",
        "a.__class__",
        "Meta: x [a.b]",
    ],
)
def test_any_name_of_a_column_can_be_asked_for(name: str) -> None:
    assert _rendered(f"a {{ {name} }}", {name: "bag", "a": "no", "x": "no"}) == "a bag"


@pytest.mark.parametrize(
    ("template", "values", "rendered"),
    [
        ("a {thing}, {extra?}", ("car", ""), "a car"),
        ("a {thing}, {extra?}", ("car", "old"), "a car, old"),
        ("a {thing}, {extra?}, on white", ("car", " "), "a car, on white"),
        ("a {extra?} {thing}", ("car", ""), "a car"),
        ("{extra?}, a {thing}", ("car", ""), "a car"),
        ("a {thing} ({extra?})", ("car", ""), "a car ()"),
        ("a {thing}{extra?}s", ("car", ""), "a cars"),
        ("a {thing} in {extra|plain}", ("car", ""), "a car in plain"),
        ("a {thing} in {extra|plain | red}", ("car", ""), "a car in plain | red"),
        ("a {thing} in {extra|plain}", ("car", "blue"), "a car in blue"),
        ("{extra?}{extra?}", ("car", ""), ""),
    ],
)
def test_an_optional_value_that_is_empty_leaves_no_gap(template: str, values: tuple[str, str], rendered: str) -> None:
    assert _rendered(template, dict(zip(("thing", "extra"), values, strict=True))) == rendered


def test_a_column_that_is_demanded_once_is_demanded() -> None:
    (value,) = Template.parse("{a?} {a}").bind({"a": 0}).values
    assert value.default is None


def test_what_is_no_column_is_listed_by_the_name_that_is_meant() -> None:
    bound = Template.parse("{colour} {size?} {ground|white} {colour}").bind({"shape": 0})
    assert [placeholder.column for placeholder in bound.unknown] == ["colour", "size", "ground"]
    assert bound.render(["car"]) == "   "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.b", "an attribute"),
        ("a.__class__.__mro__", "an attribute"),
        ("a[0]", "an index"),
        ("a!r", "a conversion"),
        ("a:>10000000000", "a format"),
        ("a(x)", "a call"),
        ("b.c", ""),
        ("Body (HTML)", ""),
    ],
)
def test_what_a_program_would_ask_of_a_column_is_named(text: str, said: str) -> None:
    assert program_sign(text, {"a": 0}).startswith(said)
    assert bool(program_sign(text, {"a": 0})) == bool(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "names no column"),
        ("{ }", "names no column"),
        ("{?}", "names no column"),
        ("{|}", "names no column"),
        ("one { only", "single '{' at character 5"),
        ("one } only", "single '}' at character 5"),
        ("{a{b}}", "single '{' at character 1"),
        ("{" * 9_999, "single '{'"),
    ],
)
def test_what_names_no_column_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(TemplateInvalid, match="character") as refused:
        Template.parse(text)
    assert said in str(refused.value)
    assert refused.value.remedy


@given(st.text())
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        template = Template.parse(text)
    except TemplateInvalid:
        return
    names = sorted(template.candidates)
    template.bind({name: place for place, name in enumerate(names)}).render(["value"] * len(names))


@given(st.text())
def test_escaped_text_renders_as_itself(text: str) -> None:
    assert _rendered(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="{}")), _names)), st.data())
def test_rendering_puts_each_value_in_its_place(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    values = {clean_name(name): data.draw(st.text()) for _, name in pairs}
    rendered = _rendered("".join(f"{text}{{{name}}}" for text, name in pairs), values)
    assert rendered == "".join(text + values[clean_name(name)] for text, name in pairs)
