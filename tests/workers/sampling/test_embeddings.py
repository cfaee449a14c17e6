"""Text embeddings: the same tokens are encoded once, and a run gets the bits that it would have computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from prometheus_client import REGISTRY

from tests.support.tiny_models.instances import build
from workers.sampling.kept.embeddings import TextEmbeddings
from workers.sampling.pipelines import Loaded, load_pipeline

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_pipeline(build(tmp_path_factory.mktemp("models"), "sdxl"), CPU)


@pytest.fixture
def encode(loaded: Loaded) -> Callable[[TextEmbeddings], Callable[..., torch.Tensor]]:
    plain = loaded.pipe.text_encoder.forward, loaded.pipe.text_encoder_2.forward

    def remembering(embeddings: TextEmbeddings) -> Callable[..., torch.Tensor]:
        loaded.pipe.text_encoder.forward, loaded.pipe.text_encoder_2.forward = plain
        embeddings.remember("sha256:1", loaded)

        def encoded(*prompts: str) -> torch.Tensor:
            with torch.inference_mode():
                made: torch.Tensor = loaded.pipe.encode_prompt(
                    list(prompts), device=CPU, do_classifier_free_guidance=False
                )[0]
            return made

        return encoded

    yield remembering
    loaded.pipe.text_encoder.forward, loaded.pipe.text_encoder_2.forward = plain
    loaded.adapters.clear()


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("presswork_text_embeddings_total", {"result": result}) or 0.0


def test_the_same_tokens_are_encoded_once_and_are_the_same_bits(encode) -> None:
    ask = encode(TextEmbeddings())
    before = counted("hit"), counted("miss")
    first = ask("a red car", "a blue cup")
    again = ask("a red car", "a blue cup")
    assert torch.equal(first, again)
    assert (counted("hit") - before[0], counted("miss") - before[1]) == (2, 2)  # two encoders
    ask("a blue cup", "a red car")
    assert counted("hit") - before[0] == 2, "another batch is another key"


def test_what_a_pipeline_writes_into_an_embedding_stays_out_of_the_next(encode) -> None:
    ask = encode(TextEmbeddings())
    first = ask("a red car")
    kept = first.clone()
    with torch.inference_mode():
        first.zero_()
    assert torch.equal(ask("a red car"), kept)


def test_other_adapters_are_another_key(encode, loaded: Loaded) -> None:
    ask = encode(TextEmbeddings())
    ask("a red car")
    before = counted("hit")
    loaded.adapters["ink"] = 0.5
    ask("a red car")
    assert counted("hit") == before


def test_the_memory_is_bounded_and_the_last_used_stays(encode) -> None:
    embeddings = TextEmbeddings(most_bytes=100_000)
    ask = encode(embeddings)
    for n in range(12):
        ask(f"a car number {n}")
        ask("a red car")
        assert embeddings._kept._bytes <= 100_000
    before = counted("miss")
    ask("a red car")
    assert counted("miss") == before
    embeddings.forget()
    ask("a red car")
    assert counted("miss") > before
