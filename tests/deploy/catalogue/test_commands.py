"""`presswork catalogue`: a folder of pictures and a feed become a plan, a run and a manifest; exit codes say which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deploy.cli import main
from deploy.commands.catalogue.history import delivery_text
from deploy.commands.catalogue.plan import counts_text
from tests.support.client import ApiServer

CATALOGUE = """\
name: mugs
key: sku
picture: photo
make:
  template: "a {title}"
  task: image-to-image
  strength: 0.5
"""


def called(*words: str) -> Result:
    return CliRunner().invoke(main, ["catalogue", *words])


def test_a_plan_is_shown_applied_and_listed(
    module_api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (128, 128), "red").save(tmp_path / "photos" / "a.png")
    feed = tmp_path / "goods.csv"
    feed.write_text("sku,title,photo\nm-1,mug,photos/a.png\nm-2,cup,../secret.png\n")
    file = str(tmp_path / "catalogue.yaml")
    with module_api.served() as server:
        monkeypatch.setenv("PRESSWORK_URL", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("PRESSWORK_KEY", module_api.key(person="Ada")[1])
        asked = ("plan", file, "--feed", str(feed), "--pictures", str(tmp_path))
        shown = called(*asked)
        assert shown.exit_code == 2, shown.output
        assert "create 1, change 0, keep 0, missing 0, blocked 1 (picture_unusable 1)" in shown.output
        assert "blocked: m-2 (row 2, picture_unusable)" in shown.output
        told = called(*asked, "--json").stdout  # among log lines of the server, which runs in this process
        plan = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
        applied = called("apply", "mugs", plan["id"])
        assert (applied.exit_code, "run 1 of mugs makes 1 pictures" in applied.output) == (0, True), applied.output
        again = called("apply", "mugs", plan["id"])
        assert (again.exit_code, "was applied already" in again.output) == (1, True)
        assert "making" in called("history", "mugs").output
        assert "key,view,channel,file_name" in called("manifest", "mugs").output
        assert "mugs" in called("list").output
        assert called("files", "mugs", "-o", str(tmp_path / "out")).exit_code == 0
        assert "m-2,cup,../secret.png,picture_unusable" in (tmp_path / "out" / "errors.csv").read_text()
        assert "0 pictures are listed no longer" in called("retire", "mugs", "m-9").output
        assert called("rollback", "mugs", "--to", "0").exit_code == 1
        feed.write_text("sku,name\n1,2\n")
        failed = called("plan", file, "--feed", str(feed))
        assert (failed.exit_code, "is no column" in failed.output) == (1, True)


def test_a_delivery_says_what_is_there_and_why_it_stands_still() -> None:
    there = {"target": "shop", "prefix": "chairs/", "run": 3, "files": 1200, "paused_for": None, "waiting": False}
    assert delivery_text(there) == "target shop, chairs/: 1,200 files, as after run 3"
    assert delivery_text({**there, "waiting": True}).endswith("run 3; newer ones are on their way")
    still = {**there, "run": None, "paused_for": "full", "detail": "PUT c-1.png: 507"}
    assert delivery_text(still) == "target shop, chairs/: no manifest yet; stands still: full (PUT c-1.png: 507)"


def test_counts_name_the_causes_of_what_changes() -> None:
    plan = {
        "counts": {"create": 120, "change": 41, "keep": 8839, "missing": 3, "blocked": 2},
        "causes": {"create": {"new": 120}, "change": {"photo": 30, "column colour": 11}, "blocked": {"held": 2}},
    }
    assert counts_text(plan) == (
        "create 120, change 41 (photo 30, column colour 11), keep 8,839, missing 3, blocked 2 (held 2)"
    )
