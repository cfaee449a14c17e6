"""Templates: plain placeholders only, values are data, and every mistake is named with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.templates import Template, TemplateInvalid

_names = st.text(st.characters(codec="utf-8", exclude_characters="{}.[]!:()"), min_size=1).filter(str.strip)


def test_placeholders_are_replaced_and_listed_once_in_order() -> None:
    template = Template.parse("a {colour} {shape}, {colour}")
    assert template.names == ("colour", "shape")
    assert template.render({"colour": "red", "shape": "car", "other": "x"}) == "a red car, red"


def test_doubled_braces_are_braces() -> None:
    assert Template.parse("{{{a}}} {{b}}").render({"a": "1"}) == "{1} {b}"


def test_values_are_data_and_are_never_read_again() -> None:
    value = "{b} {{ {0.__class__} %s ${x}"
    assert Template.parse("{a}").render({"a": value, "b": "secret"}) == value


def test_column_names_may_hold_spaces_and_any_script() -> None:
    assert Template.parse("{Product Name} {色}").render({"Product Name": "bag", "色": "赤"}) == "bag 赤"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a.b}", "asks for an attribute"),
        ("{a.__class__.__mro__}", "asks for an attribute"),
        ("{a[0]}", "asks for an index"),
        ("{a!r}", "asks for a conversion"),
        ("{a:>10000000000}", "asks for a format"),
        ("{f(x)}", "asks for a call"),
        ("{}", "names no column"),
        ("{ }", "names no column"),
        ("one { only", "single '{' at character 5"),
        ("one } only", "single '}' at character 5"),
        ("{a{b}}", "single '{' at character 1"),
        ("{" * 9_999, "single '{'"),
    ],
)
def test_everything_but_a_plain_name_is_refused_with_its_place(text: str, said: str) -> None:
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
    template.render(dict.fromkeys(template.names, "value"))


@given(st.text())
def test_escaped_text_renders_as_itself(text: str) -> None:
    template = Template.parse(text.replace("{", "{{").replace("}", "}}"))
    assert template.names == ()
    assert template.render({}) == text


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="{}")), _names)), st.data())
def test_rendering_puts_each_value_in_its_place(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    template = Template.parse("".join(f"{text}{{{name}}}" for text, name in pairs))
    values = {name: data.draw(st.text()) for name in template.names}
    assert template.render(values) == "".join(text + values[name] for text, name in pairs)
