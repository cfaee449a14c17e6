"""Formats that copies arrive in: what is read of each, and what a broken or lying one is answered."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from policy.errors import PictureRefused
from policy.intake import picture
from policy.intake.picture import PictureRefusal, open_picture
from policy.marks.inspect import inspect
from tests.support.foreign_files import SCENE, refusal, saved

pytestmark = pytest.mark.slow

# Format, media type, and how far its pixels may be from what was saved, on the mean.
KINDS = (("GIF", "image/gif", 24), ("BMP", "image/bmp", 0), ("TIFF", "image/tiff", 0), ("JPEG2000", "image/jp2", 0))


@pytest.mark.parametrize(("kind", "media_type", "apart"), KINDS)
def test_formats_that_copies_arrive_in_are_read(kind: str, media_type: str, apart: int) -> None:
    opened = open_picture(saved(SCENE, kind))
    assert (opened.media_type, opened.width, opened.height) == (media_type, 64, 48)
    assert np.abs(opened.pixels.astype(int) - SCENE).mean() <= apart


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"big_tiff": False})])
def test_other_ways_of_packing_are_read(kind: str, options: dict[str, object]) -> None:
    assert np.array_equal(open_picture(saved(SCENE, kind, **options)).pixels, SCENE)


def test_a_tiff_of_cmyk_and_one_of_sixteen_bits_become_rgb_of_eight() -> None:
    assert open_picture(saved(Image.fromarray(SCENE).convert("CMYK"), "TIFF")).mode == "CMYK"
    grey = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    opened = open_picture(saved(Image.fromarray(grey), "TIFF"))
    assert np.abs(opened.pixels[..., 0].astype(int) - grey // 256).max() <= 1


def test_of_an_animated_gif_the_first_frame_is_read_and_what_stands_behind_is_counted() -> None:
    first, *others = (Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue"))
    opened = open_picture(saved(first, "GIF", save_all=True, append_images=others) + b"PK\x03\x04")
    assert (opened.frames, opened.trailing_bytes) == (3, 4)
    assert np.array_equal(opened.pixels[0, 0], (255, 0, 0))


def test_a_transparent_gif_is_laid_on_white() -> None:
    opened = open_picture(saved(Image.new("P", (8, 8), 0), "GIF", transparency=0))
    assert opened.transparent
    assert opened.pixels.min() == 255


def _no_decoder(*_: object) -> int:
    raise AssertionError("the header alone must decide")


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"\x2c" + struct.pack("<HHHHB", 0, 0, 40_000, 9, 0)
        + b"\x02\x00\x3b",
        b"BM" + struct.pack("<IIIIii", 0, 0, 54, 40, 20_000, -20_000) + bytes(40),
        b"II*\x00" + struct.pack("<IHHHIIHHIII", 8, 2, 256, 4, 1, 20_000, 257, 4, 1, 20_000, 0),
        b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 20_000, 20_000, 0, 0) + bytes(40),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_by_its_header(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_decode", _no_decoder)
    assert refusal(content) == PictureRefusal.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + bytes(50),
        b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"\x21\xfe" + b"\x01a" * 9,
        b"BM" + bytes(50),
        b"II*\x00" + bytes(50),
        b"MM\x00*" + struct.pack(">I", 2**32 - 1),
        b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(50),
        *(saved(SCENE, kind)[:60] for kind, _, _ in KINDS),
    ],
)
def test_a_broken_one_is_damaged(content: bytes) -> None:
    assert refusal(content) == PictureRefusal.DAMAGED


def test_a_heic_picture_is_refused_by_name_and_with_the_remedy() -> None:
    with pytest.raises(PictureRefused, match=r"HEIC picture.*save it as PNG or JPEG"):
        open_picture(b"\x00\x00\x00\x20ftypheic" + bytes(50))


@pytest.mark.parametrize(("kind", "media_type"), [each[:2] for each in KINDS])
def test_a_format_without_a_manifest_is_not_one_with_a_broken_manifest(kind: str, media_type: str) -> None:
    found = inspect(saved(np.kron(SCENE, np.ones((2, 2, 1), np.uint8)), kind))
    assert (found.media_type, found.manifest, found.watermark) == (media_type, None, None)


@pytest.mark.parametrize("kind", [each[0] for each in KINDS])
def test_a_flipped_byte_is_a_picture_or_a_refusal_and_nothing_else(kind: str) -> None:
    random = np.random.default_rng(7)
    whole = saved(SCENE, kind)
    for _ in range(3):
        broken = bytearray(whole)
        for at in random.integers(0, min(len(whole), 200), 3):
            broken[at] ^= 1 << int(random.integers(0, 8))
        try:
            assert open_picture(bytes(broken)).pixels.size
        except PictureRefused:
            continue
