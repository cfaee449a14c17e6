"""Mask network: what it finds in pictures with a known alpha, and which weights it takes."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.products import bottle
from tests.support.repository import REPOSITORY
from workers.errors import CardInvalid, ModelMissing, ModelRefused
from workers.gpu.backgrounds import load_network
from workers.masks import measures
from workers.masks.network import MaskNetwork
from workers.sampling.cards.mask_networks import MaskNetworkCard, read_mask_network


@pytest.fixture(scope="module")
def card() -> MaskNetworkCard:
    found = read_mask_network(REPOSITORY / "models")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def network(card: MaskNetworkCard) -> MaskNetwork:
    return load_network(card)


@pytest.mark.parametrize("before", ["white", "black", "busy"])
def test_it_finds_the_product(network: MaskNetwork, card: MaskNetworkCard, before: str) -> None:
    shot = bottle(360, ground=before, shadow=0.0 if before == "black" else 0.35, seed=2)
    found = network.find(shot.picture)
    solid = cv2.morphologyEx(shot.alpha, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))  # hairs are for matting
    assert measures.overlap(found.product, solid >= 128) > 0.93
    assert found.method == f"u2netp {card.revision}"


def test_a_flat_picture_has_no_product(network: MaskNetwork) -> None:
    assert network.find(np.full((320, 320, 3), 255, np.uint8)).product.mean() < 0.01


def test_it_states_its_licence_and_what_is_open_about_it(card: MaskNetworkCard) -> None:
    assert card.licence == "Apache-2.0"
    assert len(card.doubts) >= 2


def test_only_the_recorded_weights_are_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "masks" / "u2netp"
    shutil.copytree(REPOSITORY / "models" / "masks" / "u2netp", folder)
    weights = folder / "weights.onnx"
    own = read_mask_network(tmp_path)
    assert own is not None
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ModelRefused, match=r"records 309c8469"):
        own.weights()
    weights.unlink()
    with pytest.raises(ModelMissing, match="no weights there"):
        own.weights()
    card = folder / "card.yaml"
    card.write_text(card.read_text("utf-8").replace("309c8469", "409c8469"), "utf-8")
    with pytest.raises(CardInvalid, match="revision"):
        read_mask_network(tmp_path)
