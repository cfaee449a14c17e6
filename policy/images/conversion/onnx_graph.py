"""ONNX graph builder: an output has the name of its node, and weights keep their bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from policy.images.conversion.package import Weights

OPSET = 17


class OnnxGraph:
    """A network from uint8 pictures [N, side, side, 3] to scores [N, classes]."""

    def __init__(self, name: str, weights: Weights, *, side_pixels: int) -> None:
        self.weights = weights
        self._name = name
        self._side = side_pixels
        self._nodes: list[onnx.NodeProto] = []
        self._stored: list[onnx.TensorProto] = []

    def pixels(self, name: str) -> None:
        """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [0, 1], as nsfwjs scales them."""
        self.node("Cast", ["pixels"], "pixels/float", to=TensorProto.FLOAT)
        self.node("Div", ["pixels/float", self.constant("pixels/255", 255.0)], "pixels/scaled")
        self.node("Transpose", ["pixels/scaled"], name, perm=[0, 3, 1, 2])

    def weight(self, name: str, order: tuple[int, ...] | None = None) -> str:
        """The name under which the weight can be used once it is multiplied out."""
        values, scale, offset = self.weights[name]
        if order is not None:
            values = np.ascontiguousarray(values.transpose(order))
        self._stored.append(numpy_helper.from_array(values, f"{name}/stored"))
        self.node("Cast", [f"{name}/stored"], f"{name}/float", to=TensorProto.FLOAT)
        self.node("Mul", [f"{name}/float", self.constant(f"{name}/scale", scale)], f"{name}/product")
        self.node("Add", [f"{name}/product", self.constant(f"{name}/offset", offset)], name)
        return name

    def constant(self, name: str, value: float) -> str:
        self._stored.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def finish(self, output: str, *, classes: int) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", self._side, self._side, 3])
        scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])
        self.node("Identity", [output], "scores")
        graph = helper.make_graph(self._nodes, self._name, [pixels], [scores], self._stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
