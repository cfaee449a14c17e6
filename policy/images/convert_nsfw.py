"""nsfwjs MobileNetV2, from the npm package to one ONNX file: run once, by hand, never at run time.

    npm pack nsfwjs@4.4.0
    python -m policy.images.convert_nsfw nsfwjs-4.4.0.tgz policy/images/weights/nsfw.onnx

The package holds uint8 weights with a scale and an offset each. They go into the file as they are,
with the two numbers beside them, and onnxruntime multiplies them out when it loads: nothing is
quantised a second time, and the file stays at 2.7 MB. Needs `onnx`; torch and node are not needed.
The same archive and the same onnx version give the same bytes; the card names both digests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ARCHIVE_SHA256 = "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382"
MODEL = "package/dist/models/mobilenet_v2/model.min.js"
SHARD = "package/dist/models/mobilenet_v2/group1-shard1of1.min.js"
OPSET = 17
SIDE_PIXELS = 224

# The published model is a JavaScript object literal: strings, bare keys, !0 and !1, numbers like -.5
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|!0|!1|[A-Za-z_]\w*(?=:)|(?<![\w.])-?\.\d')


def main(archive: Path, target: Path) -> None:
    """Write the ONNX file and print its digest. Refuses an archive other than the recorded one."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise SystemExit(f"{archive}: sha256 is {digest}, this script converts {ARCHIVE_SHA256} (nsfwjs 4.4.0)")
    with tarfile.open(archive) as package:
        topology, weights = _read(_text(package, MODEL), _text(package, SHARD))
    graph = _Graph(weights)
    for layer in topology["model_config"]["config"]["layers"]:
        graph.add(layer)
    model = graph.finish(topology["model_config"]["config"]["output_layers"][0][0])
    onnx.checker.check_model(model, full_check=True)
    target.write_bytes(model.SerializeToString(deterministic=True))
    sys.stdout.write(f"{target}  sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}\n")


def _text(package: tarfile.TarFile, name: str) -> str:
    member = package.extractfile(name)
    if member is None:
        raise SystemExit(f"the archive holds no {name}")
    return member.read().decode()


def _read(model_js: str, shard_js: str) -> tuple[dict[str, Any], dict[str, tuple[np.ndarray, float, float]]]:
    """The layers as Keras wrote them, and name -> (uint8 weights, scale, offset)."""
    literal = model_js[model_js.index("{modelTopology:") :]
    model, _ = json.JSONDecoder().raw_decode(_TOKEN.sub(_as_json, literal))
    longest = max(re.findall(r'"([A-Za-z0-9+/=]+)"', shard_js), key=len)
    return model["modelTopology"], dict(_weights(model["weightsManifest"], base64.b64decode(longest)))


def _as_json(token: re.Match[str]) -> str:
    text = token[0]
    if text.startswith('"'):
        return text
    if text.startswith("!"):
        return "true" if text == "!0" else "false"
    return text.replace(".", "0.") if "." in text else f'"{text}"'


def _weights(manifest: list[Any], stored: bytes) -> Iterator[tuple[str, tuple[np.ndarray, float, float]]]:
    offset = 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        count = int(np.prod(weight["shape"]))
        values = np.frombuffer(stored, np.uint8, count, offset).reshape(weight["shape"])
        offset += count
        yield weight["name"], (values, weight["quantization"]["scale"], weight["quantization"]["min"])
    if offset != len(stored):
        raise SystemExit(f"the weights are {len(stored)} bytes, the manifest describes {offset}")


class _Graph:
    """An ONNX graph grown layer by layer; a layer's output has the layer's name."""

    def __init__(self, weights: dict[str, tuple[np.ndarray, float, float]]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._stored: list[onnx.TensorProto] = []
        self._pads: dict[str, list[int]] = {}

    def add(self, layer: dict[str, Any]) -> None:
        """One Keras layer. ZeroPadding2D writes nothing: its numbers become the pads of the next convolution."""
        config, name = layer["config"], layer["config"]["name"]
        sources = [source[0] for source in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
        match layer["class_name"]:
            case "InputLayer":
                self._pixels(name)
            case "ZeroPadding2D":
                (top, bottom), (left, right) = config["padding"]
                self._pads[name] = [top, left, bottom, right]
                self._node("Identity", sources, name)
            case "Conv2D" | "DepthwiseConv2D" as kind:
                self._convolution(name, sources[0], config, depthwise=kind == "DepthwiseConv2D")
            case "BatchNormalization":
                parts = [self._weight(f"{name}/{p}") for p in ("gamma", "beta", "moving_mean", "moving_variance")]
                self._node("BatchNormalization", [*sources, *parts], name, epsilon=config["epsilon"])
            case "ReLU":
                bounds = [self._constant(f"{name}/low", 0.0), self._constant(f"{name}/high", config["max_value"])]
                self._node("Clip", [*sources, *bounds], name)
            case "Add":
                self._node("Add", sources, name)
            case "AveragePooling2D":
                self._node("AveragePool", sources, name, kernel_shape=config["pool_size"], strides=config["strides"])
            case "Flatten":  # Keras flattens height, width, channels; pooling left 1 x 1, so the order is the same
                self._node("Flatten", sources, name)
            case "Dropout":
                self._node("Identity", sources, name)
            case "Dense":
                inputs = [*sources, self._weight(f"{name}/kernel"), self._weight(f"{name}/bias")]
                self._node("Gemm", inputs, f"{name}/linear")
                self._node({"relu": "Relu", "softmax": "Softmax"}[config["activation"]], [f"{name}/linear"], name)
            case other:
                raise SystemExit(f"layer {name}: {other} is not known here")

    def finish(self, output: str) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE_PIXELS, SIDE_PIXELS, 3])
        scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5])
        self._node("Identity", [output], "scores")
        graph = helper.make_graph(self._nodes, "nsfwjs-mobilenet-v2", [pixels], [scores], self._stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def _pixels(self, name: str) -> None:
        """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [0, 1], as nsfwjs scales them."""
        self._node("Cast", ["pixels"], "pixels/float", to=TensorProto.FLOAT)
        self._node("Div", ["pixels/float", self._constant("pixels/255", 255.0)], "pixels/scaled")
        self._node("Transpose", ["pixels/scaled"], name, perm=[0, 3, 1, 2])

    def _convolution(self, name: str, source: str, config: dict[str, Any], *, depthwise: bool) -> None:
        kernel = f"{name}/depthwise_kernel" if depthwise else f"{name}/kernel"
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        pads = self._pads.get(source)
        if pads is None:  # the strided ones are all padded by hand, so SAME is symmetrical here
            edge = (config["kernel_size"][0] - 1) // 2 if config["padding"] == "same" else 0
            pads = [edge] * 4
        self._node(
            "Conv",
            [source, self._weight(kernel, order)],
            name,
            strides=config["strides"],
            pads=pads,
            group=self._weights[kernel][0].shape[2] if depthwise else 1,
        )

    def _weight(self, name: str, order: tuple[int, ...] | None = None) -> str:
        """The name under which the weight, multiplied out, can be used."""
        values, scale, offset = self._weights[name]
        if order is not None:
            values = np.ascontiguousarray(values.transpose(order))
        self._stored.append(numpy_helper.from_array(values, f"{name}/stored"))
        self._node("Cast", [f"{name}/stored"], f"{name}/float", to=TensorProto.FLOAT)
        self._node("Mul", [f"{name}/float", self._constant(f"{name}/scale", scale)], f"{name}/product")
        self._node("Add", [f"{name}/product", self._constant(f"{name}/offset", offset)], name)
        return name

    def _constant(self, name: str, value: float) -> str:
        self._stored.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
