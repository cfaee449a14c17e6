"""Muon: updates without a favoured direction, as large as AdamW's, kept from weights that have no gradient."""

from __future__ import annotations

import pytest
import torch

from models.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (64, 576)])
def test_an_update_learns_in_every_direction_at_about_one_speed(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))  # some directions ten times the others
    strengths = torch.linalg.svdvals(orthogonal(matrix))
    assert strengths.min() > 0.5
    assert strengths.max() < 1.4


def test_an_update_keeps_the_directions_of_its_gradient():
    torch.manual_seed(2)
    matrix = torch.randn(12, 30)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    same = (orthogonal(matrix) * (left @ right)).sum() / 12
    assert same > 0.85


def test_an_update_is_as_large_as_one_of_adamw():
    torch.manual_seed(3)
    weight = torch.nn.Parameter(torch.zeros(32, 16, 3, 3))
    optimizer = Muon([weight], lr=1.0, momentum=0.9, weight_decay=0.0)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert 0.1 < weight.pow(2).mean().sqrt() < 0.3  # 0.2 rates


def test_a_weight_without_a_gradient_stays_as_it_is():
    still = torch.nn.Parameter(torch.ones(4, 4))
    Muon([still], lr=1.0, momentum=0.9, weight_decay=0.1).step()
    assert torch.equal(still, torch.ones(4, 4))


def test_muon_fits_a_line_of_matrices():
    torch.manual_seed(4)
    wanted = torch.randn(8, 8)
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.0)
    first = None
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
        loss = ((weight - wanted) ** 2).mean()
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01 * first
