"""/v1/models: cards, and what is installed and cannot be used."""

from __future__ import annotations

from api.routes.models import without_paths
from tests.support.client import ApiTenant


def test_what_cannot_be_used_is_listed_apart(api: ApiTenant) -> None:
    assert api.caller().get("/v1/models/unusable").json() == {"data": [], "next_cursor": None}


def test_a_reason_names_the_card_and_not_the_folders_of_the_installation() -> None:
    assert without_paths("/srv/secret place/models/ink/card.yaml: base: x") != ""
    assert without_paths("/srv/models/ink/card.yaml: base: it was trained for a/b") == (
        "ink/card.yaml: base: it was trained for a/b"
    )
