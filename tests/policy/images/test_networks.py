"""Networks in the layout of transformers: real loading code on tiny models that the tests make."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor, ViTConfig, ViTForImageClassification

from policy.errors import PolicyUnavailable
from policy.images import networks
from policy.images.screen import ImageScreen
from policy.rulebook.classifiers import NetworkPart
from policy.rules import Rules
from policy.verdict import Decision
from tests.support.rule_files import written

PREPARATION = {
    **{"do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2, "do_rescale": True},
    **{"rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
}
PICTURES = np.random.default_rng(3).integers(0, 256, (5, 40, 56, 3), np.uint8)

DARKENING = (
    np.random.default_rng(8).integers(0, 256, (40, 32, 32, 3)) / np.linspace(1, 9, 40)[:, None, None, None]
).astype(np.uint8)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Falconsai's: a ViT with the labels normal and nsfw, weights drawn at random."""
    folder = tmp_path_factory.mktemp("labels")
    torch.manual_seed(1)
    config = ViTConfig(
        **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
        **{
            "image_size": 32,
            "patch_size": 8,
            "id2label": {0: "normal", 1: "NSFW"},
            "label2id": {"normal": 0, "NSFW": 1},
        },
    )
    ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**PREPARATION, "image_processor_type": "ViTImageProcessor"})
    )
    return folder


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As CompVis's: seventeen concepts, three special ones, thresholds that half of DARKENING are above."""
    folder = tmp_path_factory.mktemp("checker")
    torch.manual_seed(2)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = CLIPConfig(
        text_config={**small, "vocab_size": 32},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    model = StableDiffusionSafetyChecker(config)
    with torch.no_grad():
        model.concept_embeds.normal_()
        model.special_care_embeds.normal_()
        prepare = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
        seen = model.visual_projection(
            model.vision_model(prepare(list(DARKENING), return_tensors="pt").pixel_values)[1]
        )
        closest = torch.nn.functional.cosine_similarity(seen[:, None], model.concept_embeds[None], dim=2).amax(dim=1)
        model.concept_embeds_weights.fill_(float(closest.median()))
        model.special_care_embeds_weights.fill_(0.9)
    model.save_pretrained(folder)
    prepare.save_pretrained(folder)
    return folder


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / networks.WEIGHTS).read_bytes()).hexdigest()


def part(folder: Path, kind: str = "image-labels", **changes: Any) -> NetworkPart:
    return NetworkPart.model_validate(
        {
            "kind": kind,
            "name": "vit",
            "model": str(folder),
            "sha256": digest(folder),
            "licence": "Apache-2.0",
            **changes,
        }
    )


def test_image_labels_scores_as_transformers_itself_does(labels: Path) -> None:
    ours = networks.load(part(labels), Path("/"))
    assert ours.classes == ("normal", "nsfw")
    assert ours.revision == f"sha256:{digest(labels)} (Apache-2.0)"
    from transformers import pipeline  # noqa: PLC0415 - the other way in, for comparison

    said = pipeline("image-classification", model=str(labels))
    from PIL import Image  # noqa: PLC0415

    scores = ours.scores(PICTURES)
    assert scores.shape == (5, 2)
    for picture, row in zip(PICTURES, scores, strict=True):
        expected = {one["label"].lower(): one["score"] for one in said(Image.fromarray(picture))}
        assert row == pytest.approx([expected[name] for name in ours.classes], abs=1e-5)


def test_the_safety_checker_agrees_with_diffusers_on_every_picture(checker: Path) -> None:
    ours = networks.load(part(checker, "safety-checker"), Path("/"))
    scores = ours.scores(DARKENING)
    original = StableDiffusionSafetyChecker.from_pretrained(checker)
    prepared = CLIPImageProcessor.from_pretrained(checker)(images=list(DARKENING), return_tensors="pt").pixel_values
    _, flagged = original(images=[np.zeros(1)] * len(DARKENING), clip_input=prepared)
    clear = np.abs(scores[:, 0] - 0.5) > 0.001  # the original rounds to three places
    assert clear.sum() > len(DARKENING) / 2
    assert ((scores[:, 0] > 0.5)[clear] == np.array(flagged)[clear]).all()
    assert len({bool(one) for one in flagged}) == 2  # it says yes to some and no to others


def test_a_batch_scores_as_its_pictures_do_alone(labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = networks.load(part(labels), Path("/"))
    alone = np.concatenate([ours.scores(picture[None]) for picture in PICTURES])
    monkeypatch.setattr(networks, "MOST_AT_ONCE", 2)
    assert np.abs(ours.scores(PICTURES) - alone).max() < 1e-5


def test_a_rule_set_brings_a_network_and_its_scores_decide(labels: Path, tmp_path: Path) -> None:
    shutil.copytree(labels, tmp_path / "vit")
    entry = {"kind": "image-labels", "name": "vit", "model": "vit", "sha256": digest(labels), "licence": "Apache-2.0"}
    rule = {"id": "sexual/picture", "classifier": "vit", "scores": ["nsfw", "normal"], "hold": 0.99}
    screen = ImageScreen.load(Rules.load(written(tmp_path, image={"classifiers": [entry], "rules": [rule]})))
    verdicts = screen.screen(PICTURES)
    assert [verdict.decision for verdict in verdicts] == [Decision.HOLD] * 5  # both labels add up to one
    assert {"vit/nsfw", "vit/normal"} <= set(verdicts[0].scores)
    assert digest(labels) in screen.revisions["vit"]


def _changed(folder: Path) -> None:
    (folder / networks.WEIGHTS).write_bytes((folder / networks.WEIGHTS).read_bytes()[:-1] + b"\x01")


def _cut_short(folder: Path) -> None:
    (folder / networks.WEIGHTS).write_bytes((folder / networks.WEIGHTS).read_bytes()[:500])


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / networks.WEIGHTS), folder / "pytorch_model.bin")
    (folder / networks.WEIGHTS).unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [(_changed, "the rule set records"), (_cut_short, "the rule set records"), (_pickled, "safetensors only")],
)
def test_weights_that_are_not_the_recorded_ones_stop_the_start(
    labels: Path, tmp_path: Path, harm: Any, said: str
) -> None:
    shutil.copytree(labels, tmp_path / "vit")
    recorded = part(tmp_path / "vit")
    harm(tmp_path / "vit")
    with pytest.raises(PolicyUnavailable, match=said):
        networks.load(recorded, Path("/"))


def _without_a_weight(folder: Path) -> None:
    weights = load_file(folder / networks.WEIGHTS)
    weights.pop("classifier.weight")
    save_file(weights, folder / networks.WEIGHTS, {"format": "pt"})


def _another_shape(folder: Path) -> None:
    weights = load_file(folder / networks.WEIGHTS)
    weights["classifier.weight"] = torch.zeros(3, 16)
    save_file(weights, folder / networks.WEIGHTS, {"format": "pt"})


def _nonsense(folder: Path) -> None:
    (folder / networks.WEIGHTS).write_bytes(b"\xff" * 100)


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _no_preparation(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def _own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModelForImageClassification": "mine.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('the code of the model ran')")


@pytest.mark.parametrize("harm", [_without_a_weight, _another_shape, _nonsense, _no_config, _no_preparation, _own_code])
def test_a_folder_that_is_no_whole_model_stops_the_start(labels: Path, tmp_path: Path, harm: Any) -> None:
    """Recorded as it is, so that the digest is right and the loading itself has to notice."""
    shutil.copytree(labels, tmp_path / "vit")
    harm(tmp_path / "vit")
    with pytest.raises(PolicyUnavailable, match=r"classifier 'vit': .* is no image-labels model"):
        networks.load(part(tmp_path / "vit"), Path("/"))


def test_a_model_that_is_neither_a_folder_nor_pinned_to_a_commit_stops_the_start(labels: Path) -> None:
    with pytest.raises(PolicyUnavailable, match="correct the path, or name a hub's model with its commit"):
        networks.load(part(labels, model="somebody/something"), Path("/nowhere"))


def test_a_hub_that_cannot_be_reached_stops_the_start(labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PolicyUnavailable, match="reach the hub once, or put the files into a folder"):
        networks.load(part(labels, model="somebody/something", commit="0" * 40), Path("/nowhere"))


def test_a_network_that_answers_with_nan_holds_every_picture(labels: Path, tmp_path: Path) -> None:
    shutil.copytree(labels, tmp_path / "vit")
    weights = load_file(tmp_path / "vit" / networks.WEIGHTS)
    weights["classifier.bias"] = torch.full((2,), float("nan"))
    save_file(weights, tmp_path / "vit" / networks.WEIGHTS, {"format": "pt"})
    rule = {"id": "sexual/picture", "classifier": "vit", "scores": ["nsfw"], "hold": 0.9}
    rules = Rules.load(written(tmp_path, image={"rules": [rule]}))
    for verdict in ImageScreen(rules, [networks.load(part(tmp_path / "vit"), Path("/"))]).screen(PICTURES):
        assert [finding.rule for finding in verdict.findings] == ["classifier_unavailable"]
