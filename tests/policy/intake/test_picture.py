"""Foreign pictures: every nasty file gets a clear answer in bounded time and memory, and nothing crashes us."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from policy.errors import PictureRefused
from policy.intake import child, picture
from policy.intake.headers import MAX_PARTS
from policy.intake.picture import MAX_BYTES, PictureRefusal, open_picture
from tests.support.foreign_files import FORMATS, SCENE, chunk, png, refusal, saved

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", FORMATS)
def test_the_formats_we_make_are_read(kind: str) -> None:
    opened = open_picture(saved(SCENE, kind, quality=95))
    assert opened.pixels.shape == SCENE.shape
    assert opened.pixels.dtype == np.uint8
    assert np.abs(opened.pixels.astype(int) - SCENE).mean() < (1 if kind == "PNG" else 16)
    assert (opened.width, opened.height, opened.frames, opened.orientation) == (64, 48, 1, 1)
    assert (opened.media_type, opened.transparent, opened.trailing_bytes) == (f"image/{kind.lower()}", False, 0)


def test_a_png_is_read_to_the_last_bit() -> None:
    assert np.array_equal(open_picture(saved(SCENE)).pixels, SCENE)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_smallest_pictures_are_read(kind: str, size: tuple[int, int]) -> None:
    opened = open_picture(saved(Image.new("RGB", size, (200, 10, 10)), kind))
    assert (opened.width, opened.height) == size


@pytest.mark.parametrize(
    ("stored", "kind"), [("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("L", "AVIF")]
)
def test_other_kinds_of_pixels_become_rgb(stored: str, kind: str) -> None:
    converted = Image.fromarray(SCENE).convert(stored)
    opened = open_picture(saved(converted, kind))
    expected = np.asarray(converted.convert("RGB"), int)
    assert np.abs(opened.pixels - expected).mean() < 12


def test_sixteen_bits_of_grey_keep_their_upper_eight() -> None:
    grey = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    opened = open_picture(saved(Image.fromarray(grey)))
    assert opened.mode == "I;16"
    assert np.abs(opened.pixels[..., 0].astype(int) - grey // 256).max() <= 1


def test_sixteen_bits_of_colour_keep_their_upper_eight() -> None:
    deep = SCENE.astype(">u2") * 257
    rows = b"".join(b"\x00" + row.tobytes() for row in deep)
    opened = open_picture(png(64, 48, chunk(b"IDAT", zlib.compress(rows)), depth=16))
    assert np.array_equal(opened.pixels, SCENE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_what_is_transparent_is_laid_on_white(kind: str) -> None:
    layered = np.dstack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)])
    layered[:16, :, 3] = 0
    opened = open_picture(saved(layered, kind, lossless=True, quality=100))
    assert opened.transparent
    assert opened.pixels[:12].min() > 240
    assert opened.pixels[20:].max() < 15


def test_a_colour_that_a_palette_or_a_chunk_calls_transparent_is_laid_on_white() -> None:
    for stored in ("P", "RGB", "L"):
        image = Image.new(stored, (8, 8), 0)
        opened = open_picture(saved(image, transparency=(0, 0, 0) if stored == "RGB" else 0))
        assert opened.transparent
        assert opened.pixels.min() == 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_made_upright(kind: str, orientation: int) -> None:
    """The turns that undo each orientation, written out by the table of the EXIF standard."""
    undo = {
        1: SCENE,
        2: SCENE[:, ::-1],
        3: SCENE[::-1, ::-1],
        4: SCENE[::-1],
        5: SCENE.swapaxes(0, 1),
        6: np.rot90(SCENE, -1),
        7: SCENE[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(SCENE),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_picture(saved(SCENE, kind, exif=exif.tobytes(), quality=95))
    assert opened.orientation == orientation
    assert opened.pixels.shape == undo.shape
    assert np.abs(opened.pixels.astype(int) - undo).mean() < 16
    assert (opened.height, opened.width) == undo.shape[:2]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    first, *others = (Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue"))
    opened = open_picture(saved(first, kind, save_all=True, append_images=others, duration=100))
    assert opened.frames == 3
    assert np.abs(opened.pixels.astype(int) - (255, 0, 0)).mean() < 8


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = saved(SCENE, kind)
    assert refusal(whole[: int(len(whole) * share)]) == PictureRefusal.DAMAGED


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_something_behind_the_picture_is_counted_and_ignored(kind: str) -> None:
    behind = b"PK\x03\x04<script>alert(1)</script>" + b"\xff\xd9" * 9
    opened = open_picture(saved(SCENE, kind) + behind)
    assert opened.trailing_bytes == len(behind)
    assert opened.pixels.shape == SCENE.shape


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"%PDF-1.7\n" + saved(SCENE, "JPEG"),
        b"PK\x03\x04" + bytes(50),
        b"MZ" + bytes(50),
        bytes(64),
        b"\x89",
    ],
)
def test_what_is_none_of_the_formats_is_refused(content: bytes) -> None:
    assert refusal(content) == PictureRefusal.NOT_A_PICTURE


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == PictureRefusal.EMPTY


def _no_decoder(*_: object) -> int:
    raise AssertionError("the header alone must decide")


@pytest.mark.parametrize(
    "content",
    [
        png(20_000, 20_000, chunk(b"IDAT", zlib.compress(bytes(50_000)))),
        png(2**31 - 1, 2**31 - 1),
        png(32_001, 1),
        b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 20_000, 20_000, 1) + bytes(3) + b"\xff\xd9",
        b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\x1f\x4e\x00" * 2,
    ],
)
def test_a_bomb_is_refused_by_its_header(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_decode", _no_decoder)
    assert refusal(content) == PictureRefusal.TOO_MANY_PIXELS


def test_an_avif_that_says_it_is_huge_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(SCENE, "AVIF")
    at = whole.index(b"ispe") + 8
    monkeypatch.setattr(picture, "_decode", _no_decoder)
    assert refusal(whole[:at] + struct.pack(">II", 20_000, 20_000) + whole[at + 8 :]) == PictureRefusal.TOO_MANY_PIXELS


def test_a_file_beyond_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "read_header", _no_decoder)
    assert refusal(bytes(MAX_BYTES + 1)) == PictureRefusal.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "content", [png(0, 5), png(5, 0), png(0, 0), b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_a_header_without_a_size_is_refused(content: bytes) -> None:
    assert refusal(content) == PictureRefusal.DAMAGED


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"tEXt", b"") * (MAX_PARTS + 1),
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * (MAX_PARTS + 1) + b"\xff\xd9",
        b"\x00\x00\x00\x10ftypavif" + bytes(4) + b"\x00\x00\x00\x08free" * (MAX_PARTS + 1),
    ],
)
def test_a_file_of_endless_parts_is_refused(content: bytes) -> None:
    assert refusal(content) == PictureRefusal.DAMAGED


def _text_bomb() -> bytes:
    body = b"Comment\x00\x00" + zlib.compress(bytes(50 * 1024 * 1024))
    return png(8, 8, chunk(b"zTXt", body), chunk(b"IDAT", zlib.compress(bytes(25) * 8)))


def test_a_text_chunk_that_unpacks_to_fifty_megabytes_is_refused() -> None:
    assert refusal(_text_bomb()) == PictureRefusal.DAMAGED


def test_metadata_of_nonsense_does_not_cost_the_picture() -> None:
    for exif in (b"Exif\x00\x00" + b"\xff" * 400, b"Exif\x00\x00II*\x00" + b"\xff" * 60, bytes(12)):
        opened = open_picture(saved(SCENE, "JPEG", exif=exif))
        assert opened.pixels.shape == SCENE.shape
        assert opened.orientation in (None, 1)


def test_the_xmp_packet_comes_along_and_a_giant_one_does_not() -> None:
    packet = PngImagePlugin.PngInfo()
    packet.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    assert open_picture(saved(SCENE, pnginfo=packet)).xmp == b"<x:xmpmeta/>"
    giant = PngImagePlugin.PngInfo()
    giant.add_itxt("XML:com.adobe.xmp", "<" + "x" * child.MAX_XMP_BYTES)
    assert open_picture(saved(SCENE, pnginfo=giant)).xmp == b""


@pytest.mark.parametrize("kind", FORMATS)
def test_a_flipped_byte_is_a_picture_or_a_refusal_and_nothing_else(kind: str) -> None:
    random = np.random.default_rng(7)
    whole = saved(SCENE, kind)
    for _ in range(12):
        broken = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            broken[at] ^= 1 << int(random.integers(0, 8))
        try:
            opened = open_picture(bytes(broken))
        except PictureRefused:
            continue
        assert opened.pixels.size


def test_a_hostile_file_leaves_the_next_one_alone() -> None:
    with pytest.raises(PictureRefused):
        open_picture(_text_bomb())
    assert np.array_equal(open_picture(saved(SCENE)).pixels, SCENE)
