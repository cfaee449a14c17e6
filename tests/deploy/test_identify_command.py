"""`presswork identify`: what a person sees of an answer, and a status for scripts that never says too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from deploy.cli import main
from deploy.commands.identify import _STATUS, _show

ANSWER: dict[str, Any] = {
    "finding": "ours",
    "verified": True,
    "made_here": True,
    "asset_state": "recalled",
    "reasons": ["Content and code agree: 3 of 127 bits wrong."],
    "false_match_probability": 1.5e-40,
    "layers": {
        "manifest": {"standing": "altered", "asset_id": None},
        "watermark": {"watermark_id": "00f3a9c47be1", "bit_errors": 3, "bits_heard": 127, "asset_id": "the-asset"},
        "candidates": [
            {
                "asset_id": "the-asset",
                "likeness": 0.987,
                "registration": {"method": "features", "inliers": 40, "matches": 52},
                "code": {"bit_errors": 3, "bits_heard": 127},
            }
        ],
    },
    "lineage": {
        "asset_id": "the-asset",
        "state": "recalled",
        "custom_id": "sku-1",
        "request_id": "the-request",
        "released_at": "2026-01-01T00:00:00Z",
    },
}


def shown(answer: dict[str, Any]) -> str:
    console = Console(width=160, highlight=False, force_terminal=False)
    with console.capture() as captured:
        _show(console, Path("found.jpg"), answer)
    return captured.get()


def test_every_layer_has_its_line_and_the_lineage_its_command() -> None:
    told = shown(ANSWER)
    for said in (
        "found.jpg: OURS, verified",
        "altered",
        "00f3a9c47be1, 3 of 127 bits wrong",
        "99% similar, features (40 of 52), 3 of 127 bits wrong",
        "the-asset (recalled), sku-1 of request the-request",
        "presswork audit asset the-asset",
        "1.5e-40",
    ):
        assert said in told


def test_another_tenant_s_picture_is_told_without_a_name() -> None:
    layers = {"manifest": {"standing": "none", "asset_id": None}, "watermark": None, "candidates": []}
    told = shown({**ANSWER, "verified": False, "lineage": None, "layers": layers})
    assert "OURS, by a damaged code" in told
    assert "for another tenant; now recalled" in told
    assert "not read" in told


def test_an_altered_picture_is_shown_with_its_map_and_what_else_is_in_it() -> None:
    rows = ["." * 16, "x" * 4 + "#" * 12, *["#" * 16] * 14]
    beside = {"asset_id": None, "finding": "ours"}
    told = shown({**ANSWER, "finding": "ours_altered", "verified": False, "agreement": {"map": rows}, "also": [beside]})
    assert "OURS ALTERED" in told
    assert all(row in told for row in rows)
    assert "also in the picture: an asset of another tenant (ours)" in told


def test_a_picture_that_only_looks_like_ours_is_no_claim_for_a_script() -> None:
    assert _STATUS["ours_altered"] == _STATUS["ours"] == 0
    assert _STATUS["shares_content"] == _STATUS["not_found"] == 1
    assert "SHARES CONTENT" in shown({**ANSWER, "finding": "shares_content", "false_match_probability": None})


def test_a_failure_says_why() -> None:
    assert "not_a_picture" in shown({"state": "failed", "reason": "not_a_picture"})


@pytest.mark.parametrize("exists", [True, False])
def test_where_nothing_runs_no_status_claims_to_know(tmp_path: Path, exists: bool) -> None:
    picture = tmp_path / "found.jpg"
    if exists:
        picture.write_bytes(b"x")
    told = CliRunner().invoke(main, ["identify", str(picture), "--data", str(tmp_path / "nowhere")])
    assert told.exit_code == 3
    assert "presswork up" in told.output
