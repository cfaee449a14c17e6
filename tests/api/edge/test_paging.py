"""Pages of lists: limit and cursor where the entries have no ids, as models have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.client import ApiTenant, problem


def test_the_list_comes_in_pages_by_name(api: ApiTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = api.server.app().state.parts
    (name,) = parts.registry.names()
    card = parts.registry.get(name)
    cards = {each: replace(card, name=each) for each in ("c", "a", "b")}
    monkeypatch.setattr(type(parts.registry), "cards", cards, raising=False)
    caller = api.caller()
    first = caller.get("/v1/models?limit=2").json()
    second = caller.get("/v1/models", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["name"] for page in (first, second) for one in page["data"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None
    beyond = caller.get("/v1/models?limit=500").json()
    assert (len(beyond["data"]), beyond["next_cursor"]) == (3, None)
    problem(caller.get("/v1/models?cursor=nonsense"), 422, "invalid_parameters")
