"""Mask network: U2-Net p, a small network for salient objects, run by onnxruntime on the CPU.

Its card (workers/sampling/cards/mask_networks.py) says where the weights come from, under which terms, and what is open
about them; whoever loads the weights compares them with the card.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime

from workers.masks.mask import HALF, Alpha, Mask, MaskSource, Pixels, Plane

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in its training
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_ZOOM_BELOW = 0.45  # of the picture: a product whose box is smaller is looked at again, larger
_MARGIN = 0.15  # of that box, on each side


class MaskNetwork:
    """One onnxruntime session, shared by all threads. A run releases the interpreter lock."""

    def __init__(self, method: str, weights: bytes, *, side_pixels: int, threads: int = 1) -> None:
        """`method` names it in records; it sees squares of `side_pixels`."""
        self.method, self._side = method, side_pixels
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the core alone
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name  # the fused map; the others are of its stages

    def find(self, picture: Pixels) -> Mask:
        """The main object of an RGB picture, uint8 [H, W, 3].

        It may be empty. The network sees 320 x 320 pixels, so a small object is cut out with a margin and looked at
        again; what lies outside that part is ground.
        """
        whole = self._map(picture)
        box = _box(whole, picture.shape[1], picture.shape[0])
        if box is not None:
            left, top, right, bottom = box
            nearer = self._map(np.ascontiguousarray(picture[top:bottom, left:right]))
            whole = np.zeros(picture.shape[:2], np.float32)
            whole[top:bottom, left:right] = nearer
        alpha: Alpha = np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)
        return Mask(alpha, MaskSource.NETWORK, self.method)

    def mirrored(self, picture: Pixels) -> Alpha:
        """What it finds in the mirrored picture, mirrored back: its own second opinion."""
        return np.ascontiguousarray(self.find(np.ascontiguousarray(picture[:, ::-1])).alpha[:, ::-1])

    def _map(self, picture: Pixels) -> Plane:
        """The probability of each pixel, float32 [H, W]."""
        side = self._side
        smaller = min(picture.shape[:2]) > side
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        scaled = small.astype(np.float32) / np.float32(max(1, int(small.max())))
        planes = ((scaled - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
        found = self._session.run([self._output], {self._input: np.ascontiguousarray(planes, np.float32)})[0][0, 0]
        height, width = picture.shape[:2]
        return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _box(found: Plane, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of a small object with its margin; None for a large one, or none at all."""
    product = found * 255 >= HALF
    rows, columns = np.flatnonzero(product.any(axis=1)), np.flatnonzero(product.any(axis=0))
    if not rows.size:
        return None
    across, down = columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
    if across * down > _ZOOM_BELOW * width * height:
        return None
    room = round(_MARGIN * max(across, down))
    return (
        max(0, int(columns[0]) - room),
        max(0, int(rows[0]) - room),
        min(width, int(columns[-1]) + 1 + room),
        min(height, int(rows[-1]) + 1 + room),
    )
