"""`presswork mark` against a served API: a folder of foreign pictures becomes files of ours, and is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from policy.ledger.reading import questions
from tests.conftest import S3
from tests.support.client import ApiServer
from tests.support.fakes import FakeSampler
from tests.support.foreign_files import saved
from tests.support.pictures import texture
from tests.support.released import Gallery, encoded, jpeg, pixels
from tests.support.released import work as identify_process
from tests.support.sent_inputs import InputTenant
from tests.support.worker import Works


@dataclass(frozen=True, slots=True)
class Installed:
    """A served API, and what its processes would do meanwhile."""

    tenant: InputTenant
    works: Works
    gallery: Gallery

    def look(self) -> None:
        """Inputs are looked at, and what is due is marked and indexed."""
        self.tenant.look()
        executor = self.works.executor(FakeSampler())
        while batches := self.works.look():
            for batch_id in batches:
                executor.run(batch_id)


@pytest.fixture
def installed(module_api: ApiServer, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    tenant = InputTenant.of(module_api, "acme")
    works = Works(module_api.line, module_api.settings_for, s3)
    with module_api.served() as served:
        monkeypatch.setenv("PRESSWORK_URL", f"http://127.0.0.1:{served.port}")
        monkeypatch.setenv("PRESSWORK_KEY", tenant.client.headers["Authorization"].removeprefix("Bearer "))
        yield Installed(tenant, works, Gallery(module_api.line, module_api.settings_for))


def presswork(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_folder_is_marked_once_and_a_crop_of_it_is_identified(installed: Installed, tmp_path: Path) -> None:
    folder, out = tmp_path / "banners", tmp_path / "banners-marked"
    (folder / "spring").mkdir(parents=True)
    (folder / "one.png").write_bytes(saved(texture(320, 256, seed=90)))
    (folder / "spring" / "two.jpg").write_bytes(jpeg(texture(320, 256, seed=91), 95))
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not one either")
    asked = ("mark", folder, "--declare", "generated", "--tool", "Otherwise 7")
    told = presswork(*asked, "--no-wait")
    assert told.exit_code == 0, told.output
    installed.look()

    told = presswork(*asked, "--json")
    done = json.loads(told.output.splitlines()[-1])
    assert told.exit_code == 1  # two of the files were no pictures
    assert [problem.partition(":")[0] for problem in done["problems"]] == ["broken.png", "notes.txt"]
    names = ["one.jpg", "one.png", "spring_two.jpg", "spring_two.png"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "manifest.csv", "manifest.jsonl"])
    again = json.loads(presswork(*asked, "--json").output.splitlines()[-1])
    assert (again["request"], again["files"], again["fetched"]) == (done["request"], 4, 0)

    identify_process(installed.gallery.context())
    shown = pixels((out / "spring_two.jpg").read_bytes())
    screen = np.full((400, 500, 3), 235, np.uint8)  # a viewer's window around most of it
    screen[40:280, 60:360] = shown[10:250, 12:312]
    answer = installed.gallery.answer(installed.gallery.context(), encoded(screen))
    assert answer["finding"] == "ours", answer["reasons"]
    with installed.works.line.auditor.connect() as conn:
        found = questions.lineage(conn, answer["asset_id"])
    assert found is not None
    assert found["made"].startswith("Made elsewhere with Otherwise 7. It is declared 'generated', as stated by key ")


def test_what_cannot_be_marked_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    told = presswork("mark", tmp_path, "--declare", "none", "--to", tmp_path / "out")
    assert told.exit_code == 2
    assert "its files would be marked again" in told.output
    (tmp_path / "in").mkdir()
    told = presswork("mark", tmp_path / "in", "--declare", "none")
    assert "holds no picture" in told.output
