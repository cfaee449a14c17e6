"""Keras layers models of TensorFlow.js, converted to ONNX."""

from __future__ import annotations

from typing import Any

from policy.images.conversion.onnx_graph import OnnxGraph


class Layers:
    """Adds one layer after the other to a graph. A layer's output has the layer's name."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._pads: dict[str, list[int]] = {}

    def add(self, topology: dict[str, Any]) -> str:
        """Adds the whole model and returns the name of its output. Raises SystemExit for an unknown kind of layer."""
        config = topology["model_config"]["config"]
        for layer in config["layers"]:
            self._add(layer)
        return str(config["output_layers"][0][0])

    def _add(self, layer: dict[str, Any]) -> None:
        """One Keras layer. ZeroPadding2D adds no operation: its numbers become the pads of the next convolution."""
        config, name = layer["config"], layer["config"]["name"]
        sources = [source[0] for source in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
        match layer["class_name"]:
            case "InputLayer":
                self._graph.pixels(name)
            case "ZeroPadding2D":
                (top, bottom), (left, right) = config["padding"]
                self._pads[name] = [top, left, bottom, right]
                self._graph.node("Identity", sources, name)
            case "Conv2D" | "DepthwiseConv2D" as kind:
                self._convolution(name, sources[0], config, depthwise=kind == "DepthwiseConv2D")
            case "BatchNormalization":
                parts = [self._graph.weight(f"{name}/{p}") for p in ("gamma", "beta", "moving_mean", "moving_variance")]
                self._graph.node("BatchNormalization", [*sources, *parts], name, epsilon=config["epsilon"])
            case "ReLU":
                bounds = [
                    self._graph.constant(f"{name}/low", 0.0),
                    self._graph.constant(f"{name}/high", config["max_value"]),
                ]
                self._graph.node("Clip", [*sources, *bounds], name)
            case "Add":
                self._graph.node("Add", sources, name)
            case "AveragePooling2D":
                self._graph.node(
                    "AveragePool", sources, name, kernel_shape=config["pool_size"], strides=config["strides"]
                )
            case "Flatten":  # Keras flattens height, width, channels; pooling left 1 x 1, so the order is the same
                self._graph.node("Flatten", sources, name)
            case "Dropout":
                self._graph.node("Identity", sources, name)
            case "Dense":
                inputs = [*sources, self._graph.weight(f"{name}/kernel"), self._graph.weight(f"{name}/bias")]
                self._graph.node("Gemm", inputs, f"{name}/linear")
                self._graph.node({"relu": "Relu", "softmax": "Softmax"}[config["activation"]], [f"{name}/linear"], name)
            case other:
                raise SystemExit(f"layer {name}: {other} is not known here")

    def _convolution(self, name: str, source: str, config: dict[str, Any], *, depthwise: bool) -> None:
        kernel = f"{name}/depthwise_kernel" if depthwise else f"{name}/kernel"
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        pads = self._pads.get(source)
        if pads is None:  # the strided ones are all padded by hand, so SAME is symmetrical here
            edge = (config["kernel_size"][0] - 1) // 2 if config["padding"] == "same" else 0
            pads = [edge] * 4
        self._graph.node(
            "Conv",
            [source, self._graph.weight(kernel, order)],
            name,
            strides=config["strides"],
            pads=pads,
            group=self._graph.weights[kernel][0].shape[2] if depthwise else 1,
        )
