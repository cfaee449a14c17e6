"""Catalogue files: what is in order, and that each error names its line and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import main
from deploy.commands.catalogue.schema import schema_text
from tests.support.repository import REPOSITORY
from workers.sheets.shapes import shapes

GOOD = 'name: chairs\nsource:\n  shape: google\nmake:\n  template: "{title}"\n'


def checked(folder: Path, text: str | bytes) -> tuple[int, list[dict[str, object]]]:
    file = folder / "catalogue.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    told = CliRunner().invoke(main, ["catalogue", "check", str(file), "--json"])
    return told.exit_code, [json.loads(line) for line in told.stdout.splitlines()]


def test_a_file_in_order_is_accepted_and_takes_the_key_of_its_shape(tmp_path: Path) -> None:
    (tmp_path / "catalogue.yaml").write_text(GOOD)
    told = CliRunner().invoke(main, ["catalogue", "check", str(tmp_path / "catalogue.yaml")])
    assert told.exit_code == 0
    assert "catalogue chairs, rows by id" in told.stdout


@pytest.mark.parametrize(
    ("changed", "line", "path", "said"),
    [
        (GOOD.replace("chairs", "Garden Chairs"), 1, "name", "small letters"),
        (GOOD.replace("google", "googel"), 3, "source.shape", "'shopify'"),
        (GOOD + "  widht: 3\n", 6, "make.widht", "no such field"),
        (GOOD + '  variants: "2"\n', 6, "make.variants", "no whole number"),
        (GOOD + "  deadline: 2027-01-01\n", 4, "make", "each run has its own time"),
        (GOOD.replace('"{title}"', '"{title"'), 5, "make.template", "character 1"),
        (GOOD + "watch: [price]\n", 1, "", "decides no picture"),
        (GOOD + "name: tables\n", 6, "name", "stands twice, first in line 1"),
        (GOOD + "limits:\n  changed_percent: 200\n", 7, "limits.changed_percent", "100"),
        (GOOD.replace("google", "plain"), 1, "", "`key` is missing"),
        (GOOD.replace("  shape: google", "  shape: google\n  url: http://10.0.0.1/feed"), 4, "source.url", "https"),
        (GOOD + "picture: [", 6, "", "this is no YAML"),
        ("- 1\n", 1, "", "no list of fields"),
        ("", 1, "", "no list of fields"),
        ("a: &a [1]\nb: *a\n", 2, "", "alias"),
        ("a: " + "[" * 30 + "]" * 30, 1, "", "nested"),
        (b"name: \xff", 1, "", "not UTF-8"),
        (b"#" * 300_000, 1, "", "more than"),
    ],
)
def test_an_error_names_its_line_its_path_and_the_remedy(
    tmp_path: Path, changed: str | bytes, line: int, path: str, said: str
) -> None:
    code, errors = checked(tmp_path, changed)
    assert code == 1
    found = next(error for error in errors if said in str(error["message"]))
    assert (found["line"], found["path"]) == (line, path)
    assert found["remedy"]


def test_every_error_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    wrong = GOOD.replace("chairs", "C").replace("google", "x").replace('"{title}"', '"{"') + "speed: 1\n"
    _, errors = checked(tmp_path, wrong)
    assert [error["path"] for error in errors] == ["name", "source.shape", "make.template", "speed"]


def test_the_shipped_schema_is_the_one_that_the_model_makes() -> None:
    shipped = (REPOSITORY / "docs" / "catalogue.schema.json").read_text()
    assert shipped == schema_text(), "run: presswork catalogue schema > docs/catalogue.schema.json"


def test_every_shape_names_what_identifies_a_row_and_where_its_picture_is() -> None:
    assert set(shapes()) == {"google", "shopify", "woocommerce", "akeneo", "magento"}
    assert all(shape.key and shape.picture and shape.about for shape in shapes().values())
