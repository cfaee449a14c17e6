"""/v1/channels: presets as they are made, page by page."""

from __future__ import annotations

from policy.marks.channels.channel import presets
from tests.support.client import ApiTenant, campaign, problem


def test_every_preset_is_listed_as_the_channel_that_its_name_asks_for(api: ApiTenant) -> None:
    caller = api.caller()
    listed = caller.get("/v1/channels").json()
    assert [one["name"] for one in listed["data"]] == list(presets())
    main = next(one for one in listed["data"] if one["name"] == "marketplace-main")
    assert (main["size"], main["fit"], main["background"]) == ([2000, 2000], "pad", "#ffffff")
    assert "de" in listed["label_languages"]
    fields = {name: value for name, value in main.items() if name not in ("about", "name") and value is not None}
    asked = [{"preset": "marketplace-main"}, {"name": "written-out", **fields}]
    request = caller.get(campaign(caller, channels=asked).json()["links"]["request"]).json()
    preset, written_out = ({k: v for k, v in one.items() if k != "name"} for one in request["channels"])
    assert preset == written_out


def test_presets_come_in_pages_and_need_a_key(api: ApiTenant) -> None:
    caller = api.caller()
    names, cursor = [], ""
    while cursor is not None:
        page = caller.get("/v1/channels", params={"limit": 2, "cursor": cursor}).json()
        names += [one["name"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert names == list(presets())
    problem(api.server.anonymous().get("/v1/channels"), 401, "unauthorized")
