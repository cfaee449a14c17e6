"""File names: hostile data never becomes a path, names are safe everywhere, distinct without case, and stable."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.delivery.file_names import (
    FileTemplate,
    FileTemplateInvalid,
    disposition,
    distinct,
    file_name,
    folded,
    safe_name,
)

BY_SKU = FileTemplate.parse("{sku}.{channel}.jpg")


def name_of(sku: str, **more: str) -> str:
    return file_name(BY_SKU, {"sku": sku, "channel": "web"}, extension="jpg", **more)


@pytest.mark.parametrize(
    ("sku", "name"),
    [
        ("SKU-0042", "SKU-0042.web.jpg"),
        ("../../x", "_.._x.web.jpg"),
        ("/etc/passwd", "_etc_passwd.web.jpg"),
        ("..\\..\\x", "_.._x.web.jpg"),
        ("CON", "_CON.web.jpg"),
        ("nul", "_nul.web.jpg"),
        ("COM\u00b9", "_COM\u00b9.web.jpg"),
        ("console", "console.web.jpg"),
        ("a/b:c*?", "a_b_c__.web.jpg"),
        (".htaccess", "htaccess.web.jpg"),
        ("-rf", "_rf.web.jpg"),
        ("~root", "_root.web.jpg"),
        ("a\x00b\nc\x7f", "abc.web.jpg"),
        ("invoice\u202egpj", "invoicegpj.web.jpg"),  # a bidi override shows the end of the name backwards
        ("a\u2044b\uff0fc", "a_b_c.web.jpg"),  # they look like separators
        ("Cafe\u0301", "Caf\u00e9.web.jpg"),
        ("", "web.jpg"),
        ("\ud800", "web.jpg"),
        ("Stuhl, grün (2)", "Stuhl, grün (2).web.jpg"),
    ],
)
def test_hostile_values_become_plain_names(sku: str, name: str) -> None:
    assert name_of(sku) == name


@given(st.text(max_size=400), st.sampled_from(["", "~0badcafe"]))
@example("\u0301" * 300, "")
@example("x" * 300, "~0badcafe")
@example("con" + "\u200b", "")
def test_a_name_is_one_safe_component_whatever_the_data(sku: str, suffix: str) -> None:
    name = name_of(sku, suffix=suffix)
    assert PurePosixPath(name).name == name == PureWindowsPath(name).name
    assert len(name.encode()) <= 255
    assert not name.startswith(".")
    assert name.endswith(".jpg")
    assert not PureWindowsPath(name).is_reserved()
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in name)
    assert name == name_of(sku, suffix=suffix)
    assert unicodedata.is_normalized("NFC", name)


def test_two_long_names_that_begin_alike_stay_two():
    assert name_of("x" * 300 + "1") != name_of("x" * 300 + "2")


@pytest.mark.parametrize(
    "twins", [("sku", "SKU"), ("Caf\u00e9", "Cafe\u0301"), ("stra\u00dfe", "STRASSE"), ("a/b", "a:b")]
)
def test_names_that_a_file_system_takes_for_one_are_told_apart_and_stay_so(twins: tuple[str, str]) -> None:
    taken: set[bytes] = set()
    suffixes = [distinct(name_of(twin), f"{twin}\n0", taken) for twin in twins]
    assert suffixes[0] == ""
    assert suffixes[1].startswith("~")
    names = [name_of(twin, suffix=suffix) for twin, suffix in zip(twins, suffixes, strict=True)]
    assert len(set(map(folded, names))) == 2
    assert distinct(name_of(twins[1]), f"{twins[1]}\n0", {*taken}) == suffixes[1]


@pytest.mark.parametrize(
    ("template", "extension", "name"),
    [
        ("{sku}.{ext}", "webp", "a.webp"),
        ("{sku}.JPEG", "jpg", "a.JPEG"),
        ("{sku}.jpg", "png", "a.png"),
        ("{sku}", "avif", "a.avif"),
        ("{sku} v1.2", "png", "a v1.2.png"),
        ("{{{sku}}}.{nothing}png", "png", "{a}.png"),
    ],
)
def test_a_name_ends_as_its_file_is_encoded(template: str, extension: str, name: str) -> None:
    assert file_name(FileTemplate.parse(template), {"sku": "a"}, extension=extension) == name


@pytest.mark.parametrize("template", ["", "   ", "{sku", "sku}", "a/{sku}", "..\\{sku}", "{sku}:{x}", "x" * 301])
def test_a_template_that_is_no_name_is_refused(template: str) -> None:
    with pytest.raises(FileTemplateInvalid) as refused:
        FileTemplate.parse(template)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.jpg", 'attachment; filename="a b.jpg"'),
        ("Stühle \u4e2d.jpg", "attachment; filename=\"Stuhle .jpg\"; filename*=UTF-8''St%C3%BChle%20%E4%B8%AD.jpg"),
        ('a"; x=\r\ny.jpg', "attachment; filename=\"a__ x=__y.jpg\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0Ay.jpg"),
    ],
)
def test_a_disposition_holds_the_name_and_cannot_be_broken_out_of(name: str, header: str) -> None:
    assert disposition(name) == header


def test_a_plain_name_takes_the_short_way_to_the_same_result():
    for stem in ("SKU-1", "a", "a b", "x.y", "CON", "con.x", "aux ", "a."):
        assert safe_name(stem, ".png") == safe_name(f"{stem}\u200b", ".png")
