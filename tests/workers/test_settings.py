"""Settings are checked once, together, and every problem is listed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers.settings import Settings

URL = "postgresql+psycopg://somebody@127.0.0.1/presswork"


def make(**values: Any) -> Settings:
    return Settings(**{"database_url": URL, **values})


def test_a_visibility_timeout_below_the_lease_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="must be above lease_seconds"):
        make(lease_seconds=60, visibility_timeout_seconds=60)
    assert make(lease_seconds=60, visibility_timeout_seconds=61).lease_seconds == 60


def test_a_time_stamp_authority_is_asked_over_http_or_not_at_all() -> None:
    assert Settings(database_url="x").timestamp_url == ""
    assert Settings(database_url="x", timestamp_url="http://stamps.example/tsa").timestamp_url
    with pytest.raises(ValidationError, match="timestamp_url"):
        Settings(database_url="x", timestamp_url="ftp://stamps.example")


def test_slow_callers_may_not_have_every_connection() -> None:
    with pytest.raises(ValidationError, match="slow callers hold every connection"):
        make(max_connections=100, max_waits=50, max_uploads=50)
    assert make(max_connections=100, max_waits=50, max_uploads=49).max_connections == 100


@pytest.mark.parametrize(
    ("origins", "names"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://a.example", ("https://a.example",)),
        ("https://a.example,http://localhost:3000", ("https://a.example", "http://localhost:3000")),
    ],
)
def test_web_origins_are_listed_by_name(origins: str, names: tuple[str, ...]) -> None:
    assert make(cors_origins=origins).cors_origin_names == names


@pytest.mark.parametrize(
    "origins", ["a.example", "https://a.example/", "https://*.example", "*,https://a.example", " "]
)
def test_what_no_browser_sends_as_an_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        make(cors_origins=origins)


def test_no_queue_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="must name at least one queue"):
        make(queues=" , ")
    assert make(queues="gpu, cpu").queue_names == ("gpu", "cpu", "finishing")


def test_every_problem_is_listed_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        make(max_batch=0, log_level="LOUD", link_seconds=3600)
    assert {error["loc"] for error in refused.value.errors()} == {("max_batch",), ("log_level",), ("link_seconds",)}


def test_they_cannot_be_changed_afterwards_and_never_show_a_secret() -> None:
    settings = make(s3_secret_access_key="hidden")
    with pytest.raises(ValidationError):
        settings.max_batch = 1  # type: ignore[misc]
    assert "hidden" not in repr(settings)


def test_variables_of_the_environment_are_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", URL)
    monkeypatch.setenv("PRESSWORK_MAX_BATCH", "3")
    assert Settings().max_batch == 3


def test_another_process_reads_the_same_settings_from_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = make(s3_secret_access_key="hidden", max_batch=3, models_dir="/models of ours", lease_seconds=0.75)
    for name, value in sent.to_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == sent
