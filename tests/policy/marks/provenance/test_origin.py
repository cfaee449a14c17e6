"""Stated origin: what files say of a picture that another tool made, and that it is only stated."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image

from policy.marks.channels.channel import Channel, LabelStyle
from policy.marks.cutouts.marker import CutoutMarker
from policy.marks.inspect import inspect
from policy.marks.provenance.origin import BASIS, StatedOrigin, marks_in_words, stated
from policy.marks.stamp import EditSource
from tests.support.marking import STAMP, new_marker
from tests.support.pictures import texture

_URI = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_NEXT = replace(STAMP, asset_id="0192f0a0-0000-7000-8000-000000000003", watermark_id=0xBEEF)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


@pytest.fixture(scope="module")
def marker(folder: Path) -> CutoutMarker:
    return new_marker(folder)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return texture(128, 128)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (stated("generated", tool="Otherwise 7"), "trainedAlgorithmicMedia"),
        (stated("modified"), "compositeWithTrainedAlgorithmicMedia"),
        (stated("none", "digitalCapture", "a camera"), "digitalCapture"),
        (stated("none"), ""),
    ],
)
def test_what_was_stated_is_in_the_file_as_stated(
    marker: CutoutMarker, folder: Path, picture: np.ndarray, origin: StatedOrigin, said: str
) -> None:
    stamp = replace(STAMP, origin=replace(origin, stated_by="key-1"))
    source = EditSource(_png(picture), "image/png", "one")
    made = marker.mark_all(picture, stamp, ("original",), source=source)[0]
    found = inspect(made.data, _anchors(folder))
    assert found.manifest is not None
    assert found.manifest.state == "Trusted"
    assert found.manifest.digital_source_type == (_URI + said if said else "")
    assert found.xmp.get("Iptc4xmpExt:DigitalSourceType", "") == (_URI + said if said else "")
    assert found.xmp.get("Iptc4xmpExt:AISystemUsed") == ("Otherwise 7" if origin.declaration == "generated" else None)
    assert found.manifest.generation is not None
    assert "model" not in found.manifest.generation
    opened, *others = _actions(made.data)
    assert opened["action"] == "c2pa.opened"
    assert opened["description"] == f"Origin {BASIS}."
    assert [one["action"] for one in others] == ["c2pa.watermarked.bound"]
    assert b"key-1" not in made.data
    assert made.evidence["declaration"] == origin.declaration
    assert made.evidence["origin"]["stated_by"] == "key-1"


def test_marks_that_were_there_are_told_and_kept_as_an_ingredient(
    marker: CutoutMarker, folder: Path, picture: np.ndarray
) -> None:
    before = marker.mark(picture, STAMP)
    told = marks_in_words(inspect(before.data, _anchors(folder)).to_json())
    assert [word for word in told if STAMP.watermark_hex in word]
    assert [word for word in told if STAMP.asset_id in word]
    pixels = np.asarray(Image.open(BytesIO(before.data)))
    source = EditSource(before.data, "image/png", "one")
    made = marker.mark_all(pixels, replace(_NEXT, origin=stated("generated")), ("original",), source=source)[0]
    found = inspect(made.data, _anchors(folder)).manifest
    assert found is not None
    assert (found.state, found.asset_id) == ("Trusted", _NEXT.asset_id)
    (ingredient,) = found.ingredients
    assert ingredient.relationship == "parentOf"
    assert ingredient.generator.startswith("Presswork")


def test_a_manifest_that_was_tampered_with_stops_nobody_from_marking(
    marker: CutoutMarker, folder: Path, picture: np.ndarray
) -> None:
    broken = bytearray(marker.mark(picture, STAMP).data)
    broken[-40] ^= 1  # of the pixels: the hash fails
    source = EditSource(bytes(broken), "image/png", "one")
    made = marker.mark_all(picture, replace(_NEXT, origin=stated("generated")), ("original",), source=source)[0]
    found = inspect(made.data, _anchors(folder)).manifest
    assert found is not None
    assert found.state == "Trusted"


def test_a_label_says_what_was_declared(marker: CutoutMarker, picture: np.ndarray) -> None:
    channel = Channel("square", 256, 256, label=LabelStyle())
    stamp, source = replace(STAMP, origin=stated("modified")), EditSource(_png(picture), "image/png", "one")
    made = marker.mark_all(picture, stamp, ("original",), source=source, channels=[channel])
    assert made[1].evidence["label"]["text"] == "AI-modified"


def test_a_source_type_of_another_declaration_is_refused() -> None:
    with pytest.raises(ValueError, match="does not go with the declaration 'none'"):
        stated("none", "trainedAlgorithmicMedia")


def _png(picture: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _anchors(folder: Path) -> str:
    (found,) = folder.glob("*anchors*")
    return found.read_text()


def _actions(data: bytes) -> list[dict[str, object]]:
    with c2pa.Reader("image/png", BytesIO(data)) as reader:
        store = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    found: list[dict[str, object]] = next(
        one["data"]["actions"] for one in active["assertions"] if one["label"].startswith("c2pa.actions")
    )
    return found
