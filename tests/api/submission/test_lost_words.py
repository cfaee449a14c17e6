"""Lost words: the end of a text that the model does not read is told at submit, on the item, and where it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.submission.tokens import PromptTokens, load_tokens, prompt_tokens
from tests.support.client import ApiTenant, campaign, problem
from tests.support.repository import REPOSITORY
from workers.sampling.cards.registry import Registry

LONG = "a red apple, " + "glossy apple, " * 40 + "on a table"


@pytest.fixture(scope="module")
def studio() -> PromptTokens:
    tokens = prompt_tokens(Registry.load(REPOSITORY / "models").get("studio"))
    assert tokens is not None
    return tokens


def test_what_is_read_ends_before_the_first_word_that_is_not_read_whole(studio: PromptTokens) -> None:
    assert studio.read_chars("a red apple") is None
    read = studio.read_chars(LONG)
    assert read is not None
    assert studio.count(LONG[:read]) <= studio.room < studio.count(LONG[: LONG.index(" ", read + 1)])
    assert LONG[read - 1] == " "


def test_a_text_without_spaces_is_read_up_to_a_place_inside_it(studio: PromptTokens) -> None:
    text = "\u9752\u3044\u30ab\u30c3\u30d7" * 200
    read = studio.read_chars(text)
    assert read is not None
    assert 0 < read < len(text)


def test_rows_and_lost_words_of_both_texts_are_told_and_recorded(api: ApiTenant) -> None:
    caller = api.caller()
    sheet = f'object,negative_prompt\ncar,\n"{LONG}",\ncar,"{LONG}"\n'
    spec = {"template": "a {object}", "num_inference_steps": 20, "guidance_scale": 5}
    accepted = campaign(caller, sheet, spec).json()
    told = {warning["code"]: warning for warning in accepted["warnings"]}
    assert told["prompt_cut"]["rows"] == [2]
    assert told["negative_prompt_cut"]["rows"] == [3]
    items = caller.get(accepted["links"]["items"]).json()["data"]
    assert [item["unread_prompt"] is None for item in items] == [True, False, True]
    assert [item["unread_negative_prompt"] is None for item in items] == [True, True, False]
    assert items[1]["unread_prompt"].endswith("on a table")
    assert items[1]["unread_prompt"] in told["prompt_cut"]["message"] or "glossy" in told["prompt_cut"]["message"]


def test_a_setting_turns_each_warning_of_a_card_into_a_refusal(api: ApiTenant) -> None:
    caller = api.caller(refuse_warnings="prompt_cut, unknown_words")
    document = problem(
        campaign(caller, f'object\ncar\n"{LONG}"\nzebra\n', {"template": "a {object}"}), 422, "invalid_campaign"
    )
    errors = {error["code"]: error for error in document["errors"]}
    assert {code: error["row"] for code, error in errors.items()} == {"prompt_cut": 2, "unknown_words": 2}
    assert errors["unknown_words"]["rows"] == [2, 3]
    assert all(error["remedy"] for error in errors.values())
    document = problem(caller.post("/v1/requests", json={"prompt": LONG}), 422, "invalid_body")
    assert ("prompt_cut", "prompt") in [(error["code"], error["field"]) for error in document["errors"]]
    assert api.stored() == 0
    assert caller.post("/v1/requests", json={"prompt": "a red apple", "negative_prompt": ""}).status_code == 202


def test_a_byte_level_vocabulary_without_a_tokenizer_file_is_read(tmp_path: Path) -> None:
    """Qwen-Image's tokenizer is a vocabulary and merges; read as CLIP's, it counted every word as unknown."""
    letters = {"a": 0, "b": 1, "\u0120": 2, "\u0120a": 3, "ab": 4}
    (tmp_path / "vocab.json").write_text(str(letters).replace("'", '"'))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n\u0120 a\na b\n")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer", "model_max_length": 4}')
    loaded = load_tokens(tmp_path)
    assert loaded is not None
    assert loaded.count("a ab b") == 5  # the space belongs to the word behind it
    assert loaded.read_chars("a ab b") == 5
