"""Pictures from strangers: every nasty file gets a clear answer in bounded time and memory, and nothing crashes us."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from policy.errors import PictureRefused, PictureUnreadable
from policy.intake import child, picture
from policy.intake.headers import MAX_PARTS
from policy.intake.picture import MAX_BYTES, Refusal, open_picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
SCENE = np.kron(np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *parts: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(parts) + chunk(b"IEND", b"")


def refusal(content: bytes, **limits: float) -> str:
    with pytest.raises(PictureRefused) as refused:
        open_picture(content, **limits)
    assert str(refused.value)
    assert isinstance(refused.value, PictureUnreadable)  # whoever catches that, catches this
    return refused.value.code


@pytest.mark.parametrize("kind", FORMATS)
def test_the_four_formats_are_read(kind: str) -> None:
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
    assert refusal(whole[: int(len(whole) * share)]) == Refusal.DAMAGED


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_something_behind_the_picture_is_counted_and_ignored(kind: str) -> None:
    behind = b"PK\x03\x04<script>alert(1)</script>" + b"\xff\xd9" * 9
    opened = open_picture(saved(SCENE, kind) + behind)
    assert opened.trailing_bytes == len(behind)
    assert opened.pixels.shape == SCENE.shape


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + bytes(50),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"%PDF-1.7\n" + saved(SCENE, "JPEG"),
        b"II*\x00" + bytes(50),
        b"BM" + bytes(50),
        b"\x00\x00\x00\x20ftypheic" + bytes(50),
        b"PK\x03\x04" + bytes(50),
        b"MZ" + bytes(50),
        bytes(64),
        b"\x89",
    ],
)
def test_what_is_none_of_the_four_is_refused(content: bytes) -> None:
    assert refusal(content) == Refusal.NOT_A_PICTURE


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == Refusal.EMPTY


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
    assert refusal(content) == Refusal.TOO_MANY_PIXELS


def test_an_avif_that_says_it_is_huge_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(SCENE, "AVIF")
    at = whole.index(b"ispe") + 8
    monkeypatch.setattr(picture, "_decode", _no_decoder)
    assert refusal(whole[:at] + struct.pack(">II", 20_000, 20_000) + whole[at + 8 :]) == Refusal.TOO_MANY_PIXELS


def test_a_file_beyond_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "read_header", _no_decoder)
    assert refusal(bytes(MAX_BYTES + 1)) == Refusal.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "content", [png(0, 5), png(5, 0), png(0, 0), b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_a_header_without_a_size_is_refused(content: bytes) -> None:
    assert refusal(content) == Refusal.DAMAGED


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"tEXt", b"") * (MAX_PARTS + 1),
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * (MAX_PARTS + 1) + b"\xff\xd9",
        b"\x00\x00\x00\x10ftypavif" + bytes(4) + b"\x00\x00\x00\x08free" * (MAX_PARTS + 1),
    ],
)
def test_a_file_of_endless_parts_is_refused(content: bytes) -> None:
    assert refusal(content) == Refusal.DAMAGED


def _text_bomb() -> bytes:
    body = b"Comment\x00\x00" + zlib.compress(bytes(50 * 1024 * 1024))
    return png(8, 8, chunk(b"zTXt", body), chunk(b"IDAT", zlib.compress(bytes(25) * 8)))


def test_a_text_chunk_that_unpacks_to_fifty_megabytes_is_refused() -> None:
    assert refusal(_text_bomb()) == Refusal.DAMAGED


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


def _liar(kind: str, name: bytes, at: int, size: bytes) -> bytes:
    """800 x 600 noisy pixels in a file whose header speaks of fewer."""
    whole = bytearray(saved(np.random.default_rng(3).integers(0, 256, (600, 800, 3), np.uint8), kind))
    at += whole.index(name)
    whole[at : at + len(size)] = size
    return bytes(whole)


@pytest.mark.parametrize(
    "content",
    [
        _liar("PNG", b"IHDR", 4, struct.pack(">II", 3, 2)),
        _liar("JPEG", b"\xff\xc0", 5, struct.pack(">HH", 2, 3)),
        _liar("WEBP", b"VP8 ", 14, struct.pack("<HH", 3, 2)),
        _liar("AVIF", b"ispe", 8, struct.pack(">II", 3, 2)),
    ],
)
def test_a_header_that_lies_gets_a_refusal_or_the_few_pixels_it_spoke_of(content: bytes) -> None:
    try:
        opened = open_picture(content)
    except PictureRefused:
        return
    assert opened.pixels.shape == (2, 3, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_decoding_that_needs_more_memory_than_allowed_is_refused(kind: str) -> None:
    large = saved(Image.new("RGB", (3000, 3000), "teal"), kind)
    assert refusal(large, memory_bytes=40 * 1024 * 1024) in (Refusal.TOO_COSTLY, Refusal.CRASHED, Refusal.DAMAGED)


def test_decoding_that_takes_longer_than_allowed_is_refused() -> None:
    slow = saved(Image.fromarray(np.random.default_rng(1).integers(0, 256, (2600, 2600, 3), np.uint8)), "WEBP")
    assert refusal(slow, seconds=0.05) == Refusal.TOO_COSTLY


def test_a_child_out_of_processor_time_is_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (3000, 3000, 3), np.uint8))
    slow = saved(noise, "JPEG", progressive=True, quality=95)
    assert refusal(slow, cpu_seconds=0) == Refusal.TOO_COSTLY


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Refusal.CRASHED),
        ("raise SystemExit(3)", Refusal.CRASHED),
        ("", Refusal.CRASHED),
        ("print('no json')", Refusal.CRASHED),
        ("print('[]')", Refusal.CRASHED),
        ('print(\'{"width": 9, "height": 9, "xmp_bytes": 0}\')', Refusal.CRASHED),
        ('print(\'{"width": 1000000, "height": 1000000, "xmp_bytes": 0}\')', Refusal.CRASHED),
        ("print('{' * 100000)", Refusal.CRASHED),
        ('print(\'{"refused": "invented", "said": ""}\')', Refusal.CRASHED),
    ],
)
def test_a_decoder_that_a_picture_took_over_cannot_hurt_us(
    program: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_over = tmp_path / "child.py"
    taken_over.write_text(program)
    monkeypatch.setattr(picture, "_CHILD", taken_over)
    assert refusal(saved(SCENE)) == code


def test_the_child_sees_none_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = (
        "dict(width=1, height=1, xmp_bytes=0, frames=1, orientation=1, transparent=False, mode=str(dict(os.environ)))"
    )
    (tmp_path / "child.py").write_text(f"import json, os\nprint(json.dumps({facts}))\nprint('rg', end='', flush=True)")
    monkeypatch.setenv("PRESSWORK_SECRET", "not for strangers")
    monkeypatch.setattr(picture, "_CHILD", tmp_path / "child.py")
    assert refusal(saved(SCENE)) == Refusal.CRASHED  # two bytes are no pixel
    (tmp_path / "child.py").write_text(f"import json, os\nprint(json.dumps({facts}))\nprint('rgb', end='', flush=True)")
    assert "PRESSWORK" not in open_picture(saved(SCENE)).mode


@pytest.mark.parametrize(
    "greedy", ["x = bytes(10**9)", "while True: pass", "import os; os.write(1, bytes(10**6)); os.write(1, b'x')"]
)
def test_the_child_cannot_take_more_than_its_limits(greedy: str, tmp_path: Path) -> None:
    program = f"import sys, runpy\nrunpy.run_path({child.__file__!r})['limit'](2 * 10**8, 1, 10**4)\n{greedy}"
    with (tmp_path / "answer").open("wb") as target:
        ran = subprocess.run([sys.executable, "-c", program], stdout=target, stderr=subprocess.DEVNULL, check=False)
    assert ran.returncode != 0
    assert (tmp_path / "answer").stat().st_size <= 10**4


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


def test_the_facts_are_json(tmp_path: Path) -> None:
    """One line a parent of another language could read: the child's answer is the contract."""
    target = io.BytesIO()
    child.answer(io.BytesIO(saved(SCENE)), target, {"format": "PNG", "pixels": 10**6, "side": 100})
    line, _, pixels = target.getvalue().partition(b"\n")
    assert json.loads(line)["width"] == 64
    assert len(pixels) == SCENE.size
