"""Reference networks on the command line: shown and checked with their model."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from deploy.cli import main
from tests.support.tiny_models.instances import build
from tests.support.tiny_models.references import add_reference


def test_the_commands_show_and_check_the_network_with_its_model(tmp_path: Path) -> None:
    add_reference(tmp_path, build(tmp_path, "sd-1.5"))
    told, checked = (
        CliRunner().invoke(main, ["models", words, "sd-1.5", "--models-dir", str(tmp_path)])
        for words in ("show", "check")
    )
    assert "style          look: Look, Apache-2.0" in told.output
    assert "look: matches its card" in checked.output
