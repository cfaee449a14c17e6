"""Options of a campaign about its file: they become fields of the spec, and problems name them."""

from __future__ import annotations

import httpx
import pytest
from click.testing import CliRunner, Result

from api.schemas.requests import CampaignBody
from deploy.client.problems import problem_text
from deploy.commands.campaign import check as check_module
from deploy.commands.campaign.check import check


def _sent(monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[dict[str, object], Result]:
    specs: list[dict[str, object]] = []

    class Recorder:
        @classmethod
        def of(cls, _: object) -> Recorder:
            return cls()

        def __enter__(self) -> Recorder:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def check_campaign(self, _: object, spec: dict[str, object], **_others: object) -> dict[str, object]:
            specs.append(spec)
            warning = {"message": "hold HTML", "rows": [*range(1, 15)], "count": 40}
            return {"rows": 3, "items": 3, "refused": [], "held_items": 0, "left_out_rows": 2, "warnings": [warning]}

    monkeypatch.setattr(check_module, "Client", Recorder)
    result = CliRunner().invoke(check, ["-", "--template", "a {Title}", *options], input="Title\ncar\n")
    return (specs[0] if specs else {}), result


def test_options_about_the_file_are_fields_of_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, result = _sent(
        monkeypatch,
        *("--key", "Handle", "--key", "Option1 Value", "--fill-down", "Title", "--group", "Handle"),
        *("--where", "Option1 Value", "--clean", "Body (HTML)=html, words:20", "--clean", "a=b=trim"),
        *("--ignore-column", "Width", "--delimiter", "tab", "--encoding", "windows-1252", "--sheet", "Data"),
        *("--accept", "error_value"),
    )
    assert spec == {
        "template": "a {Title}",
        "key": ["Handle", "Option1 Value"],
        "fill_down": ["Title"],
        "group": "Handle",
        "where": ["Option1 Value"],
        "clean": {"Body (HTML)": ["html", "words:20"], "a=b": ["trim"]},
        "ignore_columns": ["Width"],
        "delimiter": "\t",
        "encoding": "windows-1252",
        "sheet": "Data",
        "accept": ["error_value"],
    }
    CampaignBody.model_validate(spec)
    assert "rows that the conditions left out: 2" in result.output
    assert "(rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 30 more)" in result.output


def test_nothing_is_sent_for_what_was_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sent(monkeypatch)[0] == {"template": "a {Title}"}


def test_filters_without_a_column_are_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sent(monkeypatch, "--clean", "html")[1].exit_code == 2


def test_a_cause_that_concerns_several_rows_is_one_line_and_names_the_option() -> None:
    errors = [
        {"code": "empty_value", "message": "empty", "remedy": "Fill it in.", "row": 1, "rows": [1, 4], "count": 2},
        {"code": "unknown_column", "message": "no column", "remedy": "Other.", "field": "fill_down"},
    ]
    warnings = [{"code": "delimiter", "message": "semicolons"}]
    text = problem_text(httpx.Response(422, json={"title": "T", "detail": "D", "errors": errors, "warnings": warnings}))
    assert "row 1: empty (rows 1, 4). Fill it in." in text
    assert "--fill-down: no column. Other." in text
    assert "warning: semicolons" in text
