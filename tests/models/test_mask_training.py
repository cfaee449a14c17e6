"""Training of the mask network: sets that share no good, shots with exact alpha, a network of the right shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.mask_training import cutouts, learning
from models.mask_training.network import MaskNet
from models.mask_training.shots import shot


def test_a_thing_and_its_skin_tones_share_one_set_and_every_set_has_some() -> None:
    assert cutouts.set_of("1f44b") == cutouts.set_of("1f44b-1f3fb") == cutouts.set_of("1f44b-fe0f")
    shares = [cutouts.set_of(f"{code:x}") for code in range(0x1F300, 0x1F700)]
    assert 0.7 < shares.count("train") / len(shares) < 0.9
    assert min(shares.count(which) for which in cutouts.SETS) > 50


def test_a_shot_follows_from_its_seed_and_its_product_is_where_alpha_says() -> None:
    one, again = (shot(np.random.default_rng([3, 4]), (), 96) for _ in range(2))
    assert (one.picture == again.picture).all()
    assert one.picture.shape == (96, 96, 3)
    assert 0.01 < (one.alpha >= 128).mean() < 0.99


def test_the_loss_is_least_for_the_known_alpha() -> None:
    alphas = torch.zeros(1, 1, 32, 32)
    alphas[..., 8:24, 8:24] = 1
    right, wrong = ((alphas * 2 - 1) * 9, (1 - alphas * 2) * 9)
    assert learning._loss(right, alphas) < 0.01 < 1 < learning._loss(wrong, alphas)


@pytest.mark.parametrize("side", [64, 96])
def test_the_network_answers_at_half_the_size(side: int) -> None:
    with torch.no_grad():
        assert MaskNet().eval()(torch.zeros(1, 3, side, side)).shape == (1, 1, side // 2, side // 2)
