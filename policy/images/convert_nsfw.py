"""Converter of two nsfwjs networks from the npm package to one ONNX file each. Run once by hand, never at run time.

    npm pack nsfwjs@4.4.0
    python -m policy.images.convert_nsfw nsfwjs-4.4.0.tgz mobilenet_v2 policy/images/weights/nsfw.onnx
    python -m policy.images.convert_nsfw nsfwjs-4.4.0.tgz mobilenet_v2_mid policy/images/weights/nsfw_mid.onnx

The package holds uint8 weights with a scale and an offset each. They go into the file unchanged, with the two numbers
beside them, and onnxruntime multiplies them out when it loads. Nothing is quantised a second time, and the files stay
at 2.8 and 4.5 MB. The program needs `onnx`; it needs neither torch nor node. The same archive and the same onnx version
give the same bytes. The cards record both digests.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
from pathlib import Path

import onnx

from policy.images.conversion.layers import Layers
from policy.images.conversion.onnx_graph import OnnxGraph
from policy.images.conversion.operations import Operations
from policy.images.conversion.package import read

ARCHIVE_SHA256 = "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382"
NETWORKS: dict[str, type[Layers | Operations]] = {"mobilenet_v2": Layers, "mobilenet_v2_mid": Operations}
CLASSES = 5
SIDE_PIXELS = 224


def main(archive: Path, network: str, target: Path) -> None:
    """Write the ONNX file and print its digest. Refuses any archive but the recorded one."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise SystemExit(f"{archive}: sha256 is {digest}, this script converts {ARCHIVE_SHA256} (nsfwjs 4.4.0)")
    with tarfile.open(archive) as package:
        topology, weights = read(package, f"package/dist/models/{network}")
    graph = OnnxGraph(f"nsfwjs-{network.replace('_', '-')}", weights, side_pixels=SIDE_PIXELS)
    model = graph.finish(NETWORKS[network](graph).add(topology), classes=CLASSES)
    onnx.checker.check_model(model, full_check=True)
    target.write_bytes(model.SerializeToString(deterministic=True))
    sys.stdout.write(f"{target}  sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
