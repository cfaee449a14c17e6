"""Process that decodes for us: headers that lie, limits of memory and time, a decoder that was taken over."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from policy.errors import PictureRefused
from policy.intake import child, picture
from policy.intake.picture import PictureRefusal, open_picture
from tests.support.foreign_files import SCENE, chunk, png, refusal, saved

pytestmark = pytest.mark.slow


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
    assert refusal(large, memory_bytes=40 * 1024 * 1024) in (
        PictureRefusal.TOO_COSTLY,
        PictureRefusal.CRASHED,
        PictureRefusal.DAMAGED,
    )


def test_decoding_that_takes_longer_than_allowed_is_refused() -> None:
    slow = saved(Image.fromarray(np.random.default_rng(1).integers(0, 256, (2600, 2600, 3), np.uint8)), "WEBP")
    assert refusal(slow, seconds=0.05) == PictureRefusal.TOO_COSTLY


def test_a_child_out_of_processor_time_is_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (3000, 3000, 3), np.uint8))
    slow = saved(noise, "JPEG", progressive=True, quality=95)
    assert refusal(slow, cpu_seconds=0) == PictureRefusal.TOO_COSTLY


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", PictureRefusal.CRASHED),
        ("raise SystemExit(3)", PictureRefusal.CRASHED),
        ("", PictureRefusal.CRASHED),
        ("print('no json')", PictureRefusal.CRASHED),
        ("print('[]')", PictureRefusal.CRASHED),
        ('print(\'{"width": 9, "height": 9, "xmp_bytes": 0}\')', PictureRefusal.CRASHED),
        ('print(\'{"width": 1000000, "height": 1000000, "xmp_bytes": 0}\')', PictureRefusal.CRASHED),
        ("print('{' * 100000)", PictureRefusal.CRASHED),
        ('print(\'{"refused": "invented", "said": ""}\')', PictureRefusal.CRASHED),
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
    monkeypatch.setenv("PRESSWORK_SECRET", "not for others")
    monkeypatch.setattr(picture, "_CHILD", tmp_path / "child.py")
    assert refusal(saved(SCENE)) == PictureRefusal.CRASHED  # two bytes are no pixel
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


def test_the_facts_are_json(tmp_path: Path) -> None:
    """One line a parent of another language could read: the child's answer is the contract."""
    target = io.BytesIO()
    child.answer(io.BytesIO(saved(SCENE)), target, {"format": "PNG", "pixels": 10**6, "side": 100})
    line, _, pixels = target.getvalue().partition(b"\n")
    assert json.loads(line)["width"] == 64
    assert len(pixels) == SCENE.size


def test_what_a_decoder_says_is_told_in_a_sentence() -> None:
    """A PNG with a palette's indices and no palette: the decoder raises without a word."""
    with pytest.raises(PictureRefused, match="it does not decode as PNG: no reason is given") as refused:
        open_picture(png(2, 2, chunk(b"IDAT", b"x\x9cc`@\x05\x00\x00\x0c\x00\x01"), depth=8, colour=3))
    assert refused.value.code == PictureRefusal.DAMAGED
