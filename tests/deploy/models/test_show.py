"""`presswork models` answers for people, with an exit status for scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from deploy.commands.models.group import models

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    for folder in ("studio", "upscalers", "loras"):
        shutil.copytree(MODELS / folder, tmp_path / folder)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(models, [str(argument) for argument in arguments])


def test_list_and_show_say_what_a_card_says(models_dir: Path) -> None:
    assert "studio" in run("list", "--models-dir", models_dir).output
    shown = run("show", "studio", "--models-dir", models_dir).output
    assert "Copyright (c) Microsoft Corporation" in shown
    assert "strawberry" in shown
    assert "realesr-animevideov3-x4: 4 times, BSD-3-Clause" in shown


def test_hash_prints_the_lines_that_the_card_needs(models_dir: Path) -> None:
    card = yaml.safe_load((models_dir / "studio" / "card.yaml").read_text())
    printed = yaml.safe_load(run("hash", models_dir / "studio").output)
    assert printed == {"revision": card["revision"], "files": card["files"]}


def test_check_names_the_file_that_is_not_the_cards(models_dir: Path) -> None:
    assert "10 files, all match the card" in run("check", "studio", "--models-dir", models_dir).output
    assert "realesr-animevideov3-x4: matches its card" in run("check", "studio", "--models-dir", models_dir).output
    config = models_dir / "studio" / "unet" / "config.json"
    config.chmod(0o644)
    config.write_text(config.read_text() + " ")
    spoiled = run("check", "studio", "--models-dir", models_dir)
    assert spoiled.exit_code == 1
    assert "unet/config.json: its bytes are not those of its card" in spoiled.output


def test_an_unknown_model_is_answered_with_those_there_are(models_dir: Path) -> None:
    unknown = run("show", "sdxl", "--models-dir", models_dir)
    assert (unknown.exit_code, unknown.output) == (1, "Error: there is no model 'sdxl'; there are: studio\n")
