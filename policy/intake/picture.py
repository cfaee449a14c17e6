"""Picture intake: the one safe way to open a picture from outside. A limited child process decodes it.

What may be sent, and what happens to it:

more bytes, pixels or a longer side than the limits   refused by the header, before anything is decoded
a bomb whose header lies                              the child meets its memory, time or output limit: refused
truncated, broken, none of the formats below         refused, with the decoder's own words
something else behind the picture (a ZIP, a script)   the picture is read; `trailing_bytes` reports it
animated                                              the first frame; `frames` reports the number
alpha                                                 flattened on white, as a shop page shows it; see `transparent`.
                                                      With `keep_alpha`, it is kept beside the colours as stored
16 bits, CMYK, palette, grey, one bit                 RGB of 8 bits. Colour profiles are not applied
PNG, JPEG, WebP, AVIF                                 what we make
GIF, BMP, TIFF, JPEG 2000                             what copies arrive in; of a TIFF the first page
HEIC                                                  refused by name: every decoder is under LGPL or GPL
EXIF orientation                                      applied; unreadable EXIF is ignored
bytes that crash the decoder                          the child dies, the worker does not: refused

Killed in the middle: the child goes on until it is done or meets its limits, with no file but two nameless ones.
Memory at the most: the file, the pixels, and MEMORY_BYTES in the child, for each thread that opens pictures.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from policy.errors import PictureRefused
from policy.intake.containers import is_heic
from policy.intake.headers import Header, HeaderBroken, named_format, read_header

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 64_000_000  # four times the largest picture we make
MAX_SIDE = 32_000  # below the 32,767 at which OpenCV's geometry ends
MEMORY_BYTES = 2 * 1024**3  # of address space: 64 megapixels of animated WebP take 1.3 GiB
CPU_SECONDS = 20  # 64 megapixels of AVIF take five
SECONDS = 120.0  # by the clock: a busy machine gives a child a sixth of a core
_LINE_BYTES = 4096
INPUT_FORMATS = frozenset({"PNG", "JPEG", "WEBP", "AVIF"})  # what a task takes; more are identified
_NO_PICTURE = "the file is no PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or JPEG 2000 picture by its first bytes"
_HEIC = "the file is a HEIC picture, for which there is no decoder here; save it as PNG or JPEG first"

_CHILD = Path(__file__).with_name("child.py")


class PictureRefusal(StrEnum):
    """Why a picture is not opened: the stable code of a PictureRefused."""

    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"
    NOT_A_PICTURE = "not_a_picture"
    TOO_MANY_PIXELS = "too_many_pixels"
    DAMAGED = "damaged"
    TOO_COSTLY = "too_costly"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """RGB pixels, uint8 [height, width, 3], upright and opaque, and what was found in the file."""

    pixels: np.ndarray
    media_type: str
    width: int  # of the pixels: turned where the orientation turns
    height: int
    mode: str  # as stored, in Pillow's words: RGB, RGBA, P, L, 1, I;16, CMYK, ...
    frames: int
    orientation: int | None  # EXIF, 1 to 8; None: unreadable
    transparent: bool
    trailing_bytes: int  # behind the end of the picture; AVIF has no end, so 0
    xmp: bytes  # b"" where there is none, or one too long to keep
    alpha: np.ndarray | None = None  # uint8 [height, width], where it was asked for and anything is transparent


def open_picture(
    data: bytes,
    *,
    keep_alpha: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    cpu_seconds: int = CPU_SECONDS,
    seconds: float = SECONDS,
) -> Picture:
    """Any thread may call it. Raises PictureRefused with a code of PictureRefusal and a sentence for people."""
    header = check_header(data)
    limits = {
        "format": header.format,
        "pixels": MAX_PIXELS,
        "side": MAX_SIDE,
        "memory_bytes": memory_bytes,
        "cpu_seconds": cpu_seconds,
        "written_bytes": (4 if keep_alpha else 3) * MAX_PIXELS + 1024 * 1024,
        "alpha": keep_alpha,
    }
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        status = _decode(source, target, limits, seconds)
        if status != 0:
            raise _died(status)
        target.seek(0)
        return _answered(target, header)


def check_input(data: bytes) -> Header:
    """As `check_header`, of the formats that a task takes. Raises PictureRefused."""
    header = check_header(data)
    if header.format not in INPUT_FORMATS:
        raise PictureRefused(
            PictureRefusal.NOT_A_PICTURE, f"the file is {header.format}; a task takes PNG, JPEG, WebP and AVIF"
        )
    return header


def check_header(data: bytes) -> Header:
    """The header of a file that may be decoded. Light: no decoder sees a byte. Raises PictureRefused."""
    if not data:
        raise PictureRefused(PictureRefusal.EMPTY, "the file is empty")
    if len(data) > MAX_BYTES:
        raise PictureRefused(
            PictureRefusal.TOO_MANY_BYTES, f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        )
    try:
        header = read_header(data)
    except HeaderBroken as broken:
        raise PictureRefused(PictureRefusal.DAMAGED, str(broken)) from broken
    if header is None:
        named = f"; it looks like {name}" if (name := named_format(data)) else ""
        raise PictureRefused(PictureRefusal.NOT_A_PICTURE, _HEIC if is_heic(data) else _NO_PICTURE + named)
    if header.width < 1 or header.height < 1:
        raise PictureRefused(PictureRefusal.DAMAGED, f"the picture says it has {header.width} x {header.height} pixels")
    if header.width * header.height > MAX_PIXELS or max(header.width, header.height) > MAX_SIDE:
        raise PictureRefused(
            PictureRefusal.TOO_MANY_PIXELS,
            f"the picture says it has {header.width:,} x {header.height:,} pixels; at most {MAX_PIXELS:,} are read,"
            f" and {MAX_SIDE:,} on a side",
        )
    return header


def _decode(source: IO[bytes], target: IO[bytes], limits: dict[str, Any], seconds: float) -> int:
    """The child's exit status, -signal where a signal ended it. No environment, no shell, no file but these two."""
    pillow = find_spec("PIL")
    if pillow is None or pillow.origin is None:
        raise PictureRefused(PictureRefusal.CRASHED, "Pillow is not installed; install the package again")
    command = [sys.executable, "-I", "-S", str(_CHILD), str(Path(pillow.origin).parent.parent), json.dumps(limits)]
    try:
        ran = subprocess.run(
            command,
            stdin=source,
            stdout=target,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU
    return ran.returncode


def _died(status: int) -> PictureRefused:
    if status in (-signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGKILL):
        return PictureRefused(PictureRefusal.TOO_COSTLY, "decoding it takes more time, memory or room than is allowed")
    return PictureRefused(PictureRefusal.CRASHED, f"the decoder ended with status {status}")


def _answered(target: IO[bytes], header: Header) -> Picture:
    """The picture in the child's answer. The child was given hostile bytes, so its answer is checked as such."""
    try:
        facts = json.loads(target.readline(_LINE_BYTES))
        if "refused" in facts:
            raise PictureRefused(PictureRefusal(facts["refused"]), str(facts["said"]))
        width, height = int(facts["width"]), int(facts["height"])
        xmp = target.read(int(facts["xmp_bytes"]))
        if not 0 < width * height <= MAX_PIXELS:
            raise ValueError(f"{width} x {height} pixels")
        pixels = np.frombuffer(target.read(width * height * 3), np.uint8).reshape(height, width, 3)
        alpha = None
        if facts.get("alpha"):
            alpha = np.frombuffer(target.read(width * height), np.uint8).reshape(height, width)
        orientation = facts["orientation"]
        return Picture(
            pixels=pixels,
            media_type=header.media_type,
            width=width,
            height=height,
            mode=str(facts["mode"]),
            frames=int(facts["frames"]),
            orientation=None if orientation is None else int(orientation),
            transparent=bool(facts["transparent"]),
            trailing_bytes=header.trailing_bytes,
            xmp=xmp,
            alpha=alpha,
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise PictureRefused(
            PictureRefusal.CRASHED, f"the decoder gave half an answer ({type(wrong).__name__})"
        ) from wrong
