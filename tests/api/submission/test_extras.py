"""Upscalers and adapters as they are asked for: in a request, in a cell, and what is said when they cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.client import ApiServer, ApiTenant, campaign, places, problem
from tests.support.tiny_pipeline import add_adapter, add_upscaler, build_tiny_model, write_card
from workers.sampling.cards.registry import Registry

UPSCALER = "realesr-animevideov3-x4"


def test_a_model_says_what_can_be_asked_for_beside_it(api: ApiTenant) -> None:
    listed = api.caller().get("/v1/models").json()["data"][0]
    assert listed["upscale"] == [1, 4]
    assert isinstance(listed["loras"], list)
    assert listed["prompt_syntax"] == ["weights"]


def test_an_upscaled_request_names_the_network_and_its_bytes_in_its_recipe(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = caller.post("/v1/requests", json={"prompt": "a car", "upscale": 4, "variants": 2}).json()
    for item in caller.get(accepted["links"]["items"]).json()["data"]:
        asked = item["recipe"]["upscaler"]
        assert (asked["name"], asked["factor"]) == (UPSCALER, 4)
        assert asked["revision"].startswith("sha256:")


def test_a_cell_decides_for_its_row(api: ApiTenant) -> None:
    caller = api.caller()
    accepted = campaign(caller, "object,upscale\ncar,4\ncar,1\ncar,\n", {"template": "a {object}", "upscale": 4}).json()
    items = caller.get(accepted["links"]["items"]).json()["data"]
    assert [item["recipe"].get("upscaler", {}).get("factor") for item in items] == [4, None, 4]
    assert [warning["code"] for warning in accepted["warnings"]] == ["duplicate_prompt"]  # row 3 is row 1 again


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"upscale": 3}, "model_limit", "upscale"),
        ({"upscale": 0}, "out_of_range", "upscale"),
        ({"upscale": "4"}, "wrong_type", "upscale"),
        ({"loras": [{"name": "sepia"}]}, "model_limit", "loras"),
        ({"loras": [{"name": "../../etc"}]}, "model_limit", "loras"),
        ({"loras": [{"name": "ink", "scale": 0}]}, "out_of_range", "loras.0.scale"),
        ({"loras": [{"name": "ink", "file": "x"}]}, "unknown_field", "loras.0.file"),
    ],
)
def test_what_cannot_be_had_is_named_by_field_and_nothing_is_stored(
    api: ApiTenant, asked: dict[str, Any], code: str, field: str
) -> None:
    answer = api.caller().post("/v1/requests", json={"prompt": "a car", **asked})
    document = problem(answer, 422, "invalid_body")
    assert (field, True) in [(error["field"], bool(error["message"])) for error in document["errors"]], document
    assert code in {error["code"] for error in document["errors"]} or code in ("out_of_range", "wrong_type")
    assert api.stored() == 0


def test_the_limit_on_pixels_holds_for_the_enlarged_picture(api: ApiTenant) -> None:
    caller = api.caller(max_pixels=300 * 300)
    assert caller.post("/v1/requests", json={"prompt": "a car"}).status_code == 202
    document = problem(caller.post("/v1/requests", json={"prompt": "a car", "upscale": 4}), 422, "invalid_body")
    assert [(error["code"], error["field"]) for error in document["errors"]] == [("too_many_pixels", "upscale")]
    assert document["errors"][0]["message"].startswith("512 x 512 is more than")


def test_a_cell_that_is_no_factor_and_no_lora_is_named_by_row(api: ApiTenant) -> None:
    table = "object,upscale,loras\ncar,x4,\ncar,3,\ncar,,ink:strong\ncar,,sepia\n"
    document = problem(campaign(api.caller(), table, {"template": "a {object}"}), 422, "invalid_campaign")
    assert places(document) == [
        ("not_a_number", 1, "upscale"),
        ("model_limit", 2, "upscale"),
        ("not_a_lora", 3, "loras"),
        ("model_limit", 4, "loras"),
    ]


@pytest.fixture
def with_lora(own_api: ApiServer, tmp_path: Path) -> tuple[ApiServer, Path]:
    add_upscaler(tmp_path)
    build_tiny_model(tmp_path, upscalers=True)
    add_adapter(tmp_path, scale=0.7, max_scale=1.2, words=["ink print"])
    write_card(tmp_path / "tiny", knows=["car"], words=["background"])
    return own_api, tmp_path


def test_a_lora_is_asked_for_by_name_and_takes_its_cards_scale(with_lora: tuple[ApiServer, Path]) -> None:
    server, models_dir = with_lora
    caller = server.caller(models_dir=models_dir)
    revision = Registry.load(models_dir).adapters["ink"].revision
    assert caller.get("/v1/models").json()["data"][0]["loras"] == ["ink"]
    table = "object,loras\ncar,\ncar,ink\ncar,ink:0.5\n"
    accepted = campaign(caller, table, {"template": "a {object}"}).json()
    recipes = [item["recipe"]["loras"] for item in caller.get(accepted["links"]["items"]).json()["data"]]
    assert recipes == [[], [["ink", 0.7, revision]], [["ink", 0.5, revision]]]
    single = caller.post("/v1/requests", json={"prompt": "a car", "loras": [{"name": "ink"}]}).json()
    assert caller.get(single["links"]["items"]).json()["data"][0]["recipe"]["loras"] == [["ink", 0.7, revision]]
    for loras in ([{"name": "ink", "scale": 1.3}], [{"name": "ink"}, {"name": "ink", "scale": 0.2}]):
        document = problem(caller.post("/v1/requests", json={"prompt": "a car", "loras": loras}), 422, "invalid_body")
        assert [error["field"] for error in document["errors"]] == ["loras"]
    missed = problem(caller.post("/v1/requests", json={"prompt": "a", "loras": [{"name": "inc"}]}), 422, "invalid_body")
    assert missed["errors"][0]["remedy"] == "It has: ink. Did you mean 'ink'?"


def test_a_prompt_that_names_the_style_of_a_lora_without_asking_for_it_is_told(
    with_lora: tuple[ApiServer, Path],
) -> None:
    server, models_dir = with_lora
    caller = server.caller(models_dir=models_dir)
    asked: dict[str, Any] = {"prompt": "a car as an ink print"}
    (told,) = caller.post("/v1/requests", json=asked).json()["warnings"]
    assert (told["code"], "without asking for it: ink" in told["message"]) == ("lora_not_asked", True)
    assert caller.post("/v1/requests", json={**asked, "loras": [{"name": "ink"}]}).json()["warnings"] == []
