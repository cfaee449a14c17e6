"""TensorFlow graph models of TensorFlow.js, converted to ONNX. Channels move from last to second."""

from __future__ import annotations

import base64
from graphlib import TopologicalSorter
from typing import Any

from policy.images.conversion.onnx_graph import OnnxGraph


class Operations:
    """Adds one operation after the other to a graph. An operation's output has the operation's name."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph

    def add(self, topology: dict[str, Any]) -> str:
        """Adds the whole model and returns the name of its output.

        Raises SystemExit for an unknown kind of operation.
        """
        operations = {operation["name"]: operation for operation in topology["node"]}
        order = TopologicalSorter({name: _sources(operation) for name, operation in operations.items()})
        last = ""
        for name in order.static_order():
            if operations[name]["op"] != "Const":
                self._add(operations[name])
                last = name
        return last

    def _add(self, operation: dict[str, Any]) -> None:
        name, sources = operation["name"], _sources(operation)
        attributes = operation["attr"]
        match operation["op"]:
            case "Placeholder":
                self._graph.pixels(name)
            case "_FusedConv2D" | "FusedDepthwiseConv2dNative" as kind:
                self._convolution(name, sources, attributes, depthwise=kind != "_FusedConv2D")
            case "_FusedMatMul":
                inputs = [sources[0], self._graph.weight(sources[1]), self._graph.weight(sources[2])]
                self._graph.node("Gemm", inputs, name)
            case "Add" | "AddV2" | "Mul" | "Sub" as kind:
                inputs = [self._graph.weight(source) if source in self._graph.weights else source for source in sources]
                self._graph.node(kind.removesuffix("V2"), inputs, name)
            case "AvgPool":
                size, strides = (_sides(attributes[key]) for key in ("ksize", "strides"))
                self._graph.node("AveragePool", sources, name, kernel_shape=size, strides=strides)
            case "Squeeze":  # pooling left 1 x 1
                self._graph.node("Flatten", sources, name)
            case "Softmax" | "Identity" as kind:
                self._graph.node(kind, sources, name)
            case other:
                raise SystemExit(f"operation {name}: {other} is not known here")

    def _convolution(self, name: str, sources: list[str], attributes: dict[str, Any], *, depthwise: bool) -> None:
        source, kernel, bias = sources
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        after = _texts(attributes["fused_ops"])
        linear = f"{name}/linear" if "Relu6" in after else name
        self._graph.node(
            "Conv",
            [source, self._graph.weight(kernel, order), self._graph.weight(bias)],
            linear,
            strides=_sides(attributes["strides"]),
            auto_pad={"SAME": "SAME_UPPER", "VALID": "VALID"}[_text(attributes["padding"]["s"])],
            group=self._graph.weights[kernel][0].shape[2] if depthwise else 1,
        )
        if "Relu6" in after:
            bounds = [self._graph.constant(f"{name}/low", 0.0), self._graph.constant(f"{name}/high", 6.0)]
            self._graph.node("Clip", [linear, *bounds], name)


def _sources(operation: dict[str, Any]) -> list[str]:
    """The inputs, without those that only order execution."""
    return [source for source in operation.get("input", []) if not source.startswith("^")]


def _sides(attribute: dict[str, Any]) -> list[int]:
    """Height and width of [1, height, width, 1]."""
    return [int(number) for number in attribute["list"]["i"]][1:3]


def _texts(attribute: dict[str, Any]) -> list[str]:
    return [_text(stored) for stored in attribute["list"]["s"]]


def _text(stored: str) -> str:
    return base64.b64decode(stored).decode()
