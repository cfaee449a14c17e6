"""Scorers of the built-in model: what they ask, and what they make of pictures whose truth is known."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.train import evaluate, gradients
from models.train.captions import plain_caption, varied_caption
from models.train.goods import BY_NAME
from models.train.scenes import SIZES, STAGES, Scene, draw_scene, foreground, picture
from models.train.sprites import Sprites
from tests.support.cutouts import make_cutouts

KETTLE = Scene("teapot", None, "render", 0, "medium", "center", "mint", "plain")


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    return Sprites(make_cutouts(tmp_path_factory.mktemp("sources")))


def test_no_question_was_trained_on_and_half_are_asked_in_other_words(sprites):
    chance = random.Random(1)
    trained = [draw_scene(chance, sprites) for _ in range(3_000)]
    asked = evaluate.questions(320, 9, sprites, trained)
    known = {plain_caption(scene) for scene in trained}
    assert not known & {plain_caption(question.scene) for question in asked}
    assert Counter(question.wording for question in asked) == {"plain": 160, "varied": 160}
    assert min(Counter(question.scene.good for question in asked).values()) == 5
    assert asked == evaluate.questions(320, 9, sprites, trained)
    assert asked != evaluate.questions(320, 10, sprites, trained)


def test_other_words_ask_for_the_same_scene(sprites):
    chance = random.Random(2)
    for _ in range(300):
        scene = draw_scene(chance, sprites)
        told, good = varied_caption(chance, scene), BY_NAME[scene.good]
        assert any(word in told for word in (*good.nouns, *good.plurals))
        assert scene.background in told
        assert told.count(",") >= 1


def test_the_scorers_know_the_truth_and_a_wrong_picture(sprites):
    scene = replace(KETTLE, good="car", colour="blue")
    question = evaluate.Question(scene, plain_caption(scene), "plain")
    truth = evaluate.judge_by_templates([question], [picture(scene, sprites)], sprites)
    assert {truth.share(name) for name in ("object colour", "background colour", "size", "style")} == {1.0}
    wrong = replace(scene, colour="yellow", background="navy", size="small")
    lies = evaluate.judge_by_templates([question], [picture(wrong, sprites)], sprites)
    assert {lies.share(name) for name in ("background colour", "size")} == {0.0}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("style", ["render", "flat"])
@pytest.mark.parametrize("size", SIZES)
def test_the_scorer_finds_the_object_in_every_light(sprites, stage, style, size):
    """In a spotlight it took the light for a part of the object, and named one good in three wrongly."""
    for ground in ("mint", "black", "red"):
        scene = replace(KETTLE, stage=stage, style=style, size=size, background=ground, good="camera", colour="blue")
        rows, columns = np.nonzero(foreground(scene, sprites))
        meant = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        found = np.array(gradients.object_box(picture(scene, sprites)))
        away = found - meant
        assert np.abs(away[:3]).max() <= 4, (ground, found, meant)
        assert -4 <= away[3] <= SIZES[size] // 4, (ground, found, meant)  # its shadow may count
