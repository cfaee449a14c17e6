"""Orders to erase: the text is gone from everywhere, the proof stays, and the order says how far it has come."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.privacy import SECRET, TENANT, Privacy


@pytest.fixture
def privacy(line, database, settings_for, s3) -> Privacy:
    return Privacy(line, database.engine("clerk"), settings_for, s3)


def test_an_item_goes_from_the_ledger_and_from_every_table(privacy: Privacy):
    mine, other = privacy.refused()[0], privacy.refused("a red kettle")[0]
    assert {"audit.private", "public.items"} <= set(privacy.holds_anywhere(SECRET))
    done = privacy.erased("item", mine)
    assert (done.state, done.left) == ("finished", {})
    assert (done.erased["items"], done.erased["texts"]) == (1, 2)
    assert privacy.holds_anywhere(SECRET) == []
    assert privacy.line.item(other).prompt == "a red kettle, number 1"
    row = privacy.line.item(mine)
    assert (row.prompt, row.custom_id, row.erased_at is not None) == ("", f"erased-{mine}", True)
    assert [e.kind for e in privacy.line.events()][-3:] == ["erasure.ordered", "text.erased", "erasure.finished"]
    assert text is not None and TENANT
