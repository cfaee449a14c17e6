"""`presswork models add`: from what people download to a model that draws."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from deploy.commands.models.group import models
from tests.support.tiny_models import unets
from tests.support.tiny_models.instances import build
from tests.support.tiny_models.single_file import write_single_file
from workers.errors import ModelMissing, ModelRefused
from workers.sampling.cards.registry import Registry, read_card
from workers.sampling.families.presets import PRESETS
from workers.sampling.files.sources import fetch_s3, read_source
from workers.sampling.pipelines import load_pipeline

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name in ("sd-1.5", "sdxl", "flux.1-schnell"):
        build(folder, name)
        (folder / name / "card.yaml").unlink()
    build.cache_clear()
    return folder


def add(source: Path | str, models_dir: Path, *more: str) -> Result:
    return CliRunner().invoke(models, ["add", str(source), "--models-dir", str(models_dir), *more])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    card = read_card(folder / "card.yaml")
    return dict(load_pipeline(card, CPU).pipe.unet.state_dict())


def as_downloaded(folder: Path) -> None:
    """Everything that a hub's repository has beside what a pipeline reads."""
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "x.metadata").write_text("1")
    (folder / "README.md").write_text("---\nlicense: openrail++\n---\n![](pictures/a.png)\n")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a b (1).png").write_bytes(b"\x89PNG")
    (folder / "sd_xl_base_1.0.safetensors").write_bytes(b"one file")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps({}))
    (folder / "unet" / "model.onnx").write_bytes(b"onnx")
    (folder / "unet" / "diffusion_flax_model.msgpack").write_bytes(b"flax")
    (folder / "unet" / "diffusion_pytorch_model.bin.index.json").write_text("{}")
    shutil.copy(folder / "unet" / "diffusion_pytorch_model.safetensors",
                folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")  # fmt: skip
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"never read")


def test_a_folder_as_downloaded_becomes_a_model_and_the_rest_is_listed(sources: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sources / "sd-1.5", tmp_path / "stable-diffusion-v1-5"))
    before = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    as_downloaded(folder)
    told = add(folder, tmp_path / "models", "--owner", "Brand team", "--expires", "2030-01-31")
    assert told.exit_code == 0, told.output
    placed = tmp_path / "models" / "stable-diffusion-v1-5"
    kept = sorted(path.relative_to(placed).as_posix() for path in placed.rglob("*") if path.is_file())
    assert set(kept) - set(before) == {"card.yaml", "README.md"}
    assert set(before) <= set(kept)
    for path in (
        ".gitattributes", "pictures/a b (1).png", "sd_xl_base_1.0.safetensors", "unet/diffusion_pytorch_model.bin",
        "unet/model.onnx", "unet/diffusion_pytorch_model.fp16.safetensors", "safety_checker/model.safetensors",
        "unet/diffusion_flax_model.msgpack", "unet/diffusion_pytorch_model.bin.index.json",
    ):  # fmt: skip
        assert f"left aside: {path}: " in told.output
    card = yaml.safe_load((placed / "card.yaml").read_text())
    assert (card["owner"], str(card["expires"]), card["licence"]) == ("Brand team", "2030-01-31", "unknown")
    assert (card["width"], card["size_multiple"], card["num_inference_steps"], card["guidance_scale"]) == (
        16,
        2,
        50,
        7.5,
    )
    assert "unknown: training_data;" in told.output
    assert set(weights(placed)) == set(load_file(sources / "sd-1.5" / "unet" / "diffusion_pytorch_model.safetensors"))
    assert not (tmp_path / "models" / ".adding").exists()


def test_a_folder_in_half_precision_alone_is_taken_as_such(sources: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sources / "sdxl", tmp_path / "SDXL_half"))
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    unet.rename(unet.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert add(folder, tmp_path / "models").exit_code == 0
    card = read_card(tmp_path / "models" / "SDXL_half" / "card.yaml")
    assert card.source.variant == "fp16"
    load_pipeline(card, CPU)


def test_a_distilled_model_is_added_with_its_few_steps(sources: Path, tmp_path: Path) -> None:
    told = add(
        sources / "flux.1-schnell",
        tmp_path,
        "--name",
        "FLUX.1-schnell",
        "--side",
        "16",
        "--steps",
        "4",
        "--guidance",
        "0",
    )
    assert told.exit_code == 0, told.output
    card = Registry.load(tmp_path).get("FLUX.1-schnell")
    assert (card.num_inference_steps, card.guidance_scale, card.max_guidance_scale) == (4, 0.0, 1.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_brings_steps_guidance_and_scheduler(sources: Path, tmp_path: Path, preset: str) -> None:
    flows = PRESETS[preset].scheduler is None
    told = add(sources / ("flux.1-schnell" if flows else "sdxl"), tmp_path, "--name", "few", "--preset", preset)
    assert told.exit_code == 0, told.output
    card, few = Registry.load(tmp_path).get("few"), PRESETS[preset]
    assert (card.num_inference_steps, card.guidance_scale) == (few.steps, few.guidance)
    assert card.scheduler == few.scheduler or flows
    fields = ("width", "height", "num_inference_steps", "scheduler")
    asked = {field: getattr(card, field) for field in fields} | {"guidance_scale": 7.5}
    [problem] = card.problems(**asked)
    assert problem.field == "guidance_scale"


def test_a_name_is_given_once(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "SD-1.5").mkdir()
    assert "there is a model 'SD-1.5' already" in add(sources / "sd-1.5", tmp_path).output
    told = add(sources / "sd-1.5", tmp_path, "--name", "../up")
    assert told.exit_code == 1
    assert "'../up' is no name of a model" in told.output


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "model_index.json").unlink(), "model_index.json is missing"),
        (lambda f: (f / "model_index.json").write_text("[]"), "is not a JSON object"),
        (lambda f: _index(f, _class_name="MyPipeline"), "'MyPipeline' belongs to no family"),
        (lambda f: _index(f, unet=["my_code", "Net"]), "none of the classes we load"),
        (lambda f: _index(f, scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"]), "its scheduler"),
        (lambda f: (f / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"1234567{"), "announces a header"),
        (lambda f: _link(f / "unet" / "config.json"), "is a link that leads out"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_model_leaves_nothing_behind(sources: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    folder = Path(shutil.copytree(sources / "sd-1.5", tmp_path / "spoiled"))
    spoil(folder)
    told = add(folder, tmp_path / "models")
    assert told.exit_code == 1
    assert words in told.output
    assert not (tmp_path / "models").exists() or not [*(tmp_path / "models").iterdir()]


def _index(folder: Path, **changes: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def test_a_single_file_becomes_the_same_weights(sources: Path, tmp_path: Path) -> None:
    assert add(sources / "sd-1.5", tmp_path / "models", "--name", "base").exit_code == 0
    pipe = load_pipeline(read_card(tmp_path / "models" / "base" / "card.yaml"), CPU).pipe
    file = write_single_file(pipe, tmp_path / "dreamy_v8.safetensors")
    without = add(file, tmp_path / "models")
    assert "name an installed model of the same family with --like" in without.output
    told = add(file, tmp_path / "models", "--like", "base")
    assert told.exit_code == 0, told.output
    got = load_pipeline(read_card(tmp_path / "models" / "dreamy_v8" / "card.yaml"), CPU).pipe
    for part in ("unet", "vae", "text_encoder"):
        theirs = getattr(pipe, part).state_dict()
        assert all(torch.equal(theirs[name], t) for name, t in getattr(got, part).state_dict().items()), part


def test_a_single_file_of_sdxl_becomes_the_same_weights_with_both_text_encoders(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unets.stable_diffusion_xl_two_widths().save_pretrained(tmp_path / "base", safe_serialization=True)
    assert add(tmp_path / "base", tmp_path / "models").exit_code == 0
    pipe = unets.stable_diffusion_xl_two_widths()
    told = add(write_single_file(pipe, tmp_path / "juggler.safetensors"), tmp_path / "models", "--like", "base")
    assert told.exit_code == 0, told.output
    got = load_pipeline(read_card(tmp_path / "models" / "juggler" / "card.yaml"), CPU).pipe
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        theirs = getattr(pipe, part).state_dict()
        assert all(torch.equal(theirs[name], t) for name, t in getattr(got, part).state_dict().items()), part


def test_a_v_prediction_checkpoint_says_so_in_its_scheduler(sources: Path, tmp_path: Path) -> None:
    add(sources / "sd-1.5", tmp_path / "models", "--name", "base")
    pipe = load_pipeline(read_card(tmp_path / "models" / "base" / "card.yaml"), CPU).pipe
    marks = {"v_pred": torch.tensor([]), "ztsnr": torch.tensor([])}
    file = write_single_file(pipe, tmp_path / "noob.safetensors", **marks)
    told = add(file, tmp_path / "models", "--like", "base")
    assert told.exit_code == 0, told.output
    written = json.loads((tmp_path / "models" / "noob" / "scheduler" / "scheduler_config.json").read_text())
    assert (written["prediction_type"], written["rescale_betas_zero_snr"]) == ("v_prediction", True)


@pytest.mark.parametrize("spoil", ["nan", "part", "truncated"])
def test_a_spoiled_single_file_is_refused(sources: Path, tmp_path: Path, spoil: str) -> None:
    add(sources / "sd-1.5", tmp_path / "models", "--name", "base")
    pipe = load_pipeline(read_card(tmp_path / "models" / "base" / "card.yaml"), CPU).pipe
    file = write_single_file(pipe, tmp_path / "x.safetensors")
    tensors = load_file(file)
    if spoil == "nan":
        tensors["model.diffusion_model.out.2.weight"][0] = np.nan
        save_file(tensors, file)
    elif spoil == "part":
        save_file({name: tensor for name, tensor in tensors.items() if "input_blocks.3" not in name}, file)
    else:
        file.write_bytes(file.read_bytes()[:-8])
    told = add(file, tmp_path / "models", "--like", "base")
    assert told.exit_code == 1, told.output
    assert not (tmp_path / "models" / "x").exists()


def test_a_source_is_a_folder_a_file_a_prefix_or_a_commit(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"")
    read = {text: read_source(text) for text in (str(tmp_path), f"{tmp_path}/x.safetensors", "s3://models/sd/xl/",
                                                 f"stabilityai/sdxl@{'a' * 40}")}  # fmt: skip
    assert [source.kind for source in read.values()] == ["folder", "file", "s3", "hub"]
    assert [source.name for source in read.values()][1:] == ["x", "xl", "sdxl"]
    for text in ("stabilityai/sdxl@main", "/nowhere", "s3://", "model.ckpt"):
        with pytest.raises(ModelMissing, match="is no folder, no "):
            read_source(text)


class Bucket:
    """Keys as a hostile bucket may hold them; a real store keeps them as they are."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.keys]}]

    def download_file(self, bucket: str, key: str, path: str) -> None:
        Path(path).write_text(f"{bucket}/{key}")


def test_a_prefix_is_fetched_below_one_folder(tmp_path: Path) -> None:
    source = read_source("s3://models/sd")
    fetch_s3(Bucket("sd/model_index.json", "sd/unet/config.json"), source, tmp_path / "in")  # type: ignore[arg-type]
    assert (tmp_path / "in" / "unet" / "config.json").read_text() == "models/sd/unet/config.json"
    with pytest.raises(ModelRefused, match="is no path below the prefix"):
        fetch_s3(Bucket("sd/../../x"), source, tmp_path / "in")  # type: ignore[arg-type]
    with pytest.raises(ModelMissing, match="there is no object below it"):
        fetch_s3(Bucket(), source, tmp_path / "in")  # type: ignore[arg-type]
