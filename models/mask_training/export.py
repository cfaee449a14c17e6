"""Export of the mask network: weights.onnx in half the bytes, and the card beside it, written from data.

Needs the package onnx (extra `convert`). The written file is run by onnxruntime beside the trained network before it is
kept: another answer stops the export.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import yaml

from models.mask_training import dataset
from models.mask_training.learning import CHECKPOINT
from models.mask_training.network import MaskNet, Probability
from models.train import record
from models.train.sources import PACKAGES
from workers.sampling.cards.contents import CARD, file_of, revision_of

WEIGHTS = "weights.onnx"
_OPSET = 17
_ALIKE = 2e-3  # of probability: what folding batch norms may change


def write(work: Path, folder: Path) -> None:
    """The folder of the finished network. Raises SystemExit where the exported file answers otherwise."""
    network = MaskNet().eval()
    network.load_state_dict(torch.load(work / CHECKPOINT, weights_only=True, map_location="cpu")["average"])
    whole = Probability(network).eval()
    picture = torch.randn(1, 3, dataset.SIDE, dataset.SIDE, generator=torch.Generator().manual_seed(1))
    packed = io.BytesIO()
    names = {"input_names": ["picture"], "output_names": ["product"]}
    torch.onnx.export(whole, (picture,), packed, opset_version=_OPSET, dynamo=False, **names)
    with torch.no_grad():
        expected = whole(picture).numpy()
    session = onnxruntime.InferenceSession(packed.getvalue(), providers=["CPUExecutionProvider"])
    apart = float(np.abs(session.run(None, {"picture": picture.numpy()})[0] - expected).max())
    if apart > _ALIKE:
        raise SystemExit(f"the exported network is {apart:.4f} from the trained one; {_ALIKE} are allowed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(packed.getvalue())
    _write_card(work, folder, weights=sum(weight.numel() for weight in network.parameters()))


def _write_card(work: Path, folder: Path, *, weights: int) -> None:
    files = [file_of(folder, WEIGHTS)]
    taken = record.read(work).get("mask", {})
    (package,) = (package for package in PACKAGES if package.folder == "fluent-emoji-3d")
    card: dict[str, Any] = {
        "name": folder.name,
        "title": "Product masks of our own",
        "description": (
            "Finds the product of a catalogue picture and says for each pixel how sure it is. A convolutional network"
            f" of {weights:,} weights that sees {dataset.SIDE} x {dataset.SIDE} pixels, trained from nothing by"
            " models/mask_training."
        ),
        "licence": "Apache-2.0",
        "copyright": "Copyright (c) 2026, The Presswork project",
        "source": f"python -m models.mask_training; {json.dumps(taken, sort_keys=True)}",
        "training_data": (
            f"Pictures composed by a program, with an alpha that is known exactly: cut-outs of npm {package.name}"
            f" {package.version} ({package.licence}, {package.copyright}) and goods drawn by formula, on grounds drawn"
            " by formula. No photographs, no people, nothing collected from the web."
        ),
        "doubts": ["The licence of the cut-outs was read in the package that carries them. No lawyer has reviewed it."],
        "limits": [
            "It never saw a photograph. Goods and grounds that look unlike renders are found less surely.",
            "It marks what stands out as product. Of a scene with several things it may take all of them, or one.",
            "Glass, fur and hair come out soft or are lost; matting repairs an edge, not a lost part.",
        ],
        "revision": revision_of(files),
        "files": [asdict(file) for file in files],
        "side_pixels": dataset.SIDE,
    }
    text = yaml.safe_dump(card, sort_keys=False, width=116, allow_unicode=True, default_flow_style=None)
    (folder / CARD).write_text(f"# Written by `python -m models.mask_training`; change the recipe.\n{text}", "utf-8")
    print(f"wrote {folder}")
