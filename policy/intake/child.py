"""Decoder process: decodes one picture for `policy.intake.picture`, in a process that may die of it.

    python -I -S child.py FOLDER_OF_PILLOW LIMITS  <picture  >answer

The program limits itself before it reads a byte: memory, processor time, size of what it writes. The answer is one line
of JSON, then the XMP packet, then RGB pixels row by row, then the alpha channel where it is wanted and not opaque. It
reads and writes the two files that it was given, opens none, and keeps nothing. Killed anywhere, it leaves half an
answer, which the parent refuses.
"""

from __future__ import annotations

import contextlib
import json
import resource
import struct
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP_ROWS = 256  # rows turned into bytes at a time: a second whole copy would need the memory again
MAX_XMP_BYTES = 256 * 1024  # ours have two; a longer packet is left out, and the facts say so
TURNS = {  # EXIF orientation -> what makes it upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def limit(memory_bytes: int, cpu_seconds: int, written_bytes: int) -> None:
    """Limits this process from here on. Where the system lacks a limit (macOS: memory), that one does not hold."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, written_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def answer(source: BinaryIO, target: BinaryIO, wanted: dict[str, Any]) -> None:
    """Decode `source` as the one format named; write facts and pixels, or one line with the reason for a refusal."""
    from PIL import Image  # noqa: PLC0415 - after the limits

    Image.MAX_IMAGE_PIXELS = None  # the next lines hold it to a smaller number
    try:
        with Image.open(source, formats=(wanted["format"],)) as opened:
            if opened.width * opened.height > wanted["pixels"] or max(opened.size) > wanted["side"]:
                _refuse(target, "too_many_pixels", f"the decoder finds {opened.width} x {opened.height} pixels")
                return
            facts: dict[str, Any] = {"mode": opened.mode, "frames": getattr(opened, "n_frames", 1)}
            opened.seek(0)
            opened.load()
            facts["orientation"] = _orientation(opened)
            turn = TURNS.get(facts["orientation"])
            upright = opened if turn is None else opened.transpose(Image.Transpose[turn])
            picture, alpha = _separated(upright) if wanted.get("alpha") else (None, None)
            if picture is None:
                picture, facts["transparent"] = _flattened(upright, Image)
            else:
                facts["transparent"] = alpha is not None
    except MemoryError:
        _refuse(target, "too_costly", "decoding it takes more memory than is allowed")
        return
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises on hostile bytes: the answer is one line
        said = " ".join(str(error).split()) or "no reason is given"
        _refuse(target, "damaged", f"it does not decode as {wanted['format']}: {said}"[:300])
        return
    xmp = opened.info.get("xmp") or b""
    packet = xmp if isinstance(xmp, bytes) else str(xmp).encode()
    facts["xmp_dropped"] = len(packet) > MAX_XMP_BYTES
    packet = b"" if facts["xmp_dropped"] else packet
    facts |= {"width": picture.width, "height": picture.height, "xmp_bytes": len(packet), "alpha": alpha is not None}
    target.write(json.dumps(facts).encode() + b"\n" + packet)
    _write_rows(target, picture)
    if alpha is not None:
        _write_rows(target, alpha)


def _write_rows(target: BinaryIO, picture: Image) -> None:
    for top in range(0, picture.height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, picture.height)
        target.write(picture.crop((0, top, picture.width, bottom)).tobytes())


def _refuse(target: BinaryIO, code: str, said: str) -> None:
    target.write(json.dumps({"refused": code, "said": said}).encode() + b"\n")


def _orientation(picture: Image) -> int | None:
    """1 to 8 as EXIF counts; None where it cannot be read. Hostile metadata does not cost the picture."""
    try:
        return int(picture.getexif().get(0x0112, 1))
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return None


def _separated(picture: Image) -> tuple[Image | None, Image | None]:
    """RGB as stored, and the alpha channel; (None, None) for a picture of which nothing is transparent."""
    if not picture.has_transparency_data:
        return None, None
    layered = picture.convert("RGBA")
    alpha = layered.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return None, None
    return layered.convert("RGB"), alpha


def _flattened(picture: Image, images: Any) -> tuple[Image, bool]:
    """RGB on white, and whether any of the picture was transparent."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits of grey: keep the upper eight
        return picture.point(lambda level: level * (1 / 256)).convert("L").convert("RGB"), False
    if not picture.has_transparency_data:
        return picture.convert("RGB"), False
    layered = picture.convert("RGBA")
    alpha = layered.getchannel("A")
    flat = images.new("RGB", layered.size, "white")
    flat.paste(layered, mask=alpha)
    return flat, alpha.tobytes().count(255) < alpha.width * alpha.height


if __name__ == "__main__":
    wanted = json.loads(sys.argv[2])
    limit(wanted["memory_bytes"], wanted["cpu_seconds"], wanted["written_bytes"])
    sys.path.append(sys.argv[1])
    answer(sys.stdin.buffer, sys.stdout.buffer, wanted)
    sys.stdout.buffer.flush()
