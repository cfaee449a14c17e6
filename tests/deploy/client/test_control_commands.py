"""`presswork campaign change` and `channels`, and `presswork target`, against a served API."""

from __future__ import annotations

from click.testing import CliRunner, Result

from deploy.cli import main
from tests.support.campaigns import Sent


def presswork(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_request_is_changed_while_it_runs_and_the_line_says_what_stands(installed: tuple[Sent, str]) -> None:
    sent, _ = installed
    told = presswork(
        "campaign", "change", sent.id, "--priority", "bulk", "--images", "9", "--deadline", "2999-01-01T00:00:00Z"
    )
    assert told.exit_code == 0, told.output
    assert "running, bulk, deadline 2999-01-01T00:00:00Z, budget images 9; " in told.output
    told = presswork("request", "change", sent.id, "--no-budget", "--deadline", "none")
    assert told.exit_code == 0, told.output
    assert "budget" not in told.output
    assert "deadline" not in told.output
    for wrong, said in (
        ((), "nothing is to be changed"),
        (("--images", "0"), "images"),
        (("--no-budget", "--images", "3"), "--no-budget"),
        (("--cost", "5", "--currency", "eur"), "currency"),
        (("--deadline", "2020-01-01T00:00:00Z"), "passed already"),
    ):
        refused = presswork("campaign", "change", sent.id, *wrong)
        assert refused.exit_code != 0
        assert said in refused.output, refused.output


def test_other_files_of_what_was_released_are_asked_for_from_the_command_line(installed: tuple[Sent, str]) -> None:
    sent, _ = installed
    told = presswork("campaign", "channels", sent.id, "--channel", "square")
    assert told.exit_code != 0
    assert "no drawing is kept any more" in told.output
    told = presswork("campaign", "channels", sent.id, "--channel", '{"name": "shop", "size": [10, 10]}')
    assert "channels" in told.output
    assert told.exit_code != 0
    assert "no JSON" in presswork("campaign", "channels", sent.id, "--channel", "{").output


def test_a_target_is_added_listed_checked_and_removed(installed: tuple[Sent, str], monkeypatch) -> None:
    """No clerk runs here, so the check does not come: the command says so and ends."""
    monkeypatch.setattr("deploy.commands.target.add._WAIT_SECONDS", 0.0)
    asked = (
        "target",
        "add",
        "shop",
        "--endpoint",
        "https://s3.example.com",
        "--bucket",
        "acme-shop",
        "--access-key-id",
        "key",
    )
    assert "there is no secret" in presswork(*asked).output
    monkeypatch.setenv("PRESSWORK_TARGET_SECRET", "a secret that is not shown")
    told = presswork(*asked)
    assert told.exit_code != 0
    assert "was not checked in time" in told.output
    assert "a secret" not in told.output
    assert "shop" in presswork("target", "list").output
    assert presswork("target", "remove", "shop").exit_code == 0
    assert "shop" not in presswork("target", "list").output
    assert presswork("target", "remove", "shop").exit_code != 0
