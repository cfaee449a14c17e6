"""Loading rules: what is refused before any library opens a model, and what is loaded after."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tiny_pipeline import build_tiny_model, write_card
from workers.errors import HubUnavailable, ModelMissing, ModelRefused, OutOfMemory
from workers.sampling import pipelines
from workers.sampling.cards.contents import ModelFile, file_of, revision_of
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.device import faults
from workers.sampling.files import digests
from workers.sampling.files.safetensors_header import check_safetensors
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.resident import Pipelines, weights_of

CPU = torch.device("cpu")
UNET = "unet/diffusion_pytorch_model.safetensors"
COMMIT = "5" * 40


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("built"), dtype=torch.float16)


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that the test may spoil."""
    return Path(shutil.copytree(built, tmp_path / "models" / "tiny"))


def card_of(folder: Path) -> ModelCard:
    return Registry.load(folder.parent).get(folder.name)


class Bomb:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


def test_a_model_stored_in_half_precision_computes_in_single_on_a_cpu(folder: Path) -> None:
    loaded = load_pipeline(card_of(folder), CPU)
    assert {loaded.pipe.unet.dtype, loaded.pipe.vae.dtype, loaded.pipe.text_encoder.dtype} == {torch.float32}
    assert loaded.pipe.safety_checker is None


@pytest.mark.parametrize(
    "name", ["unet/diffusion_pytorch_model.bin", "model.ckpt", "vae/x.PT", "a.pkl", "text_encoder/tf.h5"]
)
def test_a_pickle_is_refused_by_name_and_never_read(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    write_card(folder)  # not even a card that lists it makes it welcome
    with pytest.raises(ModelRefused, match=f"model tiny: {name}: may be a pickle"):
        load_pipeline(card_of(folder), CPU)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["unet/modeling.py", "run.sh", "unet/weights", "model.safetensors.zip"])
def test_a_file_of_no_known_kind_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    with pytest.raises(ModelRefused, match=f"model tiny: {name}: is none of"):
        load_pipeline(card_of(folder), CPU)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../secret.json"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, target: str) -> None:
    (folder.parent.parent / "secret.json").write_text("{}")
    (folder / "vae" / "config.json").unlink()
    (folder / "vae" / "config.json").symlink_to(target)
    with pytest.raises(ModelRefused, match=r"vae/config\.json: is a link that leads out"):
        load_pipeline(card_of(folder), CPU)


def test_a_linked_folder_is_refused(folder: Path) -> None:
    shutil.move(folder / "vae", folder.parent / "elsewhere")
    (folder / "vae").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(ModelRefused, match="vae: is a link that leads out"):
        load_pipeline(card_of(folder), CPU)


def test_one_changed_byte_is_not_the_model_of_the_card(folder: Path) -> None:
    weights = bytearray((folder / UNET).read_bytes())
    weights[-1] ^= 1
    (folder / UNET).write_bytes(weights)
    with pytest.raises(ModelMissing, match=f"{UNET}: its bytes are not those of its card"):
        load_pipeline(card_of(folder), CPU)


def test_a_file_missing_or_too_many_is_told_by_name(folder: Path) -> None:
    (folder / "README.md").write_text("hello")
    with pytest.raises(
        ModelRefused, match=r"README\.md: is not on the card; remove it, or run `presswork models hash`"
    ):
        load_pipeline(card_of(folder), CPU)
    (folder / "README.md").unlink()
    (folder / UNET).unlink()
    with pytest.raises(ModelMissing, match=f"{UNET} is on the card and not in"):
        load_pipeline(card_of(folder), CPU)


def test_no_folder_is_a_missing_model(folder: Path) -> None:
    write_card(folder, source={"folder": "weights"})
    with pytest.raises(ModelMissing, match=r"there is no folder .*weights"):
        load_pipeline(card_of(folder), CPU)


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("model_index.json", {"unet": ["my_code", "Net"]}, r"names \['my_code', 'Net'\] for 'unet'"),
        ("model_index.json", {"unet": ["diffusers", "FluxTransformer2DModel"]}, "none of the classes we load"),
        ("model_index.json", {"unet": [["diffusers"], {}]}, "none of the classes we load"),
        ("model_index.json", {"extra": ["diffusers", "AutoencoderKL"]}, "for 'extra'"),
        ("model_index.json", {"extra": 350}, "names 350 for 'extra', which is none of the classes we load for stable"),
        ("model_index.json", {"vae": None}, "names None for 'vae'"),
        ("text_encoder/config.json", {"text_config": {"auto_map": {"AutoModel": "a.B"}}}, "asks for code of its own"),
        ("model_index.json", {"_class_name": ["pipeline", "Evil"]}, "names the pipeline"),
        ("model_index.json", {"_class_name": "FluxPipeline"}, "the card 'StableDiffusionPipeline'"),
        ("model_index.json", {"scheduler": ["diffusers", "OnnxScheduler"]}, "for 'scheduler'"),
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "asks for code of its own"),
        ("tokenizer/tokenizer_config.json", {"auto_map": {"AutoTokenizer": "a.b"}}, "asks for code of its own"),
    ],
)
def test_code_of_its_own_is_refused(folder: Path, file: str, changes: dict[str, Any], words: str) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    write_card(folder)
    with pytest.raises(ModelRefused, match=f"model tiny: {file}: .*{words}"):
        load_pipeline(card_of(folder), CPU)


def test_an_index_that_names_no_unet_is_refused(folder: Path) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "unet"}))
    write_card(folder)
    with pytest.raises(ModelRefused, match="names no unet"):
        load_pipeline(card_of(folder), CPU)


def test_a_folder_without_an_index_is_no_pipeline(folder: Path) -> None:
    (folder / "model_index.json").unlink()
    write_card(folder)
    with pytest.raises(ModelRefused, match=r"model_index\.json: is missing"):
        load_pipeline(card_of(folder), CPU)


@pytest.mark.parametrize("shard", ["../../x.safetensors", "/etc/passwd", "absent.safetensors", "config.json"])
@pytest.mark.parametrize(
    "index", ["model.safetensors.index.json", "model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json"]
)
def test_a_shard_index_points_to_its_own_folder_only(folder: Path, shard: str, index: str) -> None:
    (folder / "unet" / index).write_text(json.dumps({"weight_map": {"w": shard}}))
    write_card(folder)
    with pytest.raises(ModelRefused, match="no safetensors file beside it"):
        load_pipeline(card_of(folder), CPU)


def test_a_wrong_header_is_refused_with_file_and_tensor(folder: Path) -> None:
    write(folder / UNET, {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, bytes(8))
    write_card(folder)
    with pytest.raises(ModelRefused, match=rf"model tiny: {UNET}: gives tensor 'w', F32 \[4\], 8 bytes"):
        load_pipeline(card_of(folder), CPU)


def write(path: Path, header: Any, tensors: bytes, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + tensors)
    return path


def tensor(begin: int, end: int, **changes: Any) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]} | changes


@pytest.mark.parametrize(
    ("header", "length", "words"),
    [
        ({}, 100 * 2**30, "announces a header of 107374182400 bytes in a file of"),
        ({}, 2**64 - 1, "announces a header of"),
        (b"{", None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
        (b"[]", None, "not a JSON object"),
        (b'{"a": 1, "a": 2}', None, "a name is used twice"),
        ({"a": tensor(0, 8, dtype="PICKLE")}, None, "'a' by no known dtype"),
        ({"a": [0, 8]}, None, "'a' by no known dtype"),
        ({"a": tensor(0, 8, shape=None)}, None, "'a'"),
        ({"a": tensor(0, 8, shape=[-8])}, None, "no natural number"),
        ({"a": tensor(0, 8, shape=[True])}, None, "no natural number"),
        ({"a": tensor(0, 8, data_offsets=[-8, 0])}, None, "no natural number"),
        ({"a": tensor(0, 8, data_offsets=[8, 0])}, None, "'a', U8 .8., -8 bytes"),
        ({"a": tensor(0, 8, dtype="F32")}, None, "'a', F32 .8., 8 bytes"),
        ({"a": tensor(0, 5), "b": tensor(4, 8)}, None, "has tensor 'b' overlapping 'a'"),
        ({"a": tensor(0, 3), "b": tensor(4, 8)}, None, "has 1 bytes before 'b' that belong to no tensor"),
        ({"a": tensor(0, 4)}, None, "bytes 0 to 4 of the 8"),
        ({"a": tensor(0, 16)}, None, "bytes 0 to 16 of the 8"),
        ({"a": tensor(4, 8)}, None, "bytes 4 to 8 of the 8"),
        ({}, None, "holds bytes and no tensor"),
    ],
)
def test_a_header_must_describe_exactly_its_bytes(tmp_path: Path, header: Any, length: int | None, words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        check_safetensors(write(tmp_path / "x.safetensors", header, bytes(8), length))


def test_a_file_cut_in_its_first_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x00\x00")
    with pytest.raises(ModelRefused, match="announces a header of 0 bytes in a file of 2"):
        check_safetensors(tmp_path / "x.safetensors")


def test_what_the_library_writes_is_accepted(tmp_path: Path) -> None:
    arrays = {f"t{n}": np.zeros(shape, dtype) for n, (shape, dtype) in enumerate(
        [((2, 3), np.float32), ((), np.float16), ((0, 4), np.int64), ((5,), np.bool_), ((1,), np.uint8)])}  # fmt: skip
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors", {"format": "pt"})
    check_safetensors(tmp_path / "x.safetensors")


@given(place=st.integers(0, 120), byte=st.integers(0, 255))
def test_no_changed_header_passes_here_and_fails_in_the_library(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    whole = bytearray(safetensors.numpy.save({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float16)}))
    whole[place] = byte
    path = tmp_path_factory.mktemp("fuzz") / "x.safetensors"
    path.write_bytes(whole)
    try:
        check_safetensors(path)
    except ModelRefused:
        return
    with safetensors.safe_open(path, "np") as opened:
        assert len(list(opened.keys())) == 2


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's own cache on this machine, with the network switched off; returns the repository in it.

    The tiny model becomes a card alone, whose files are on the hub.
    """
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    repository = tmp_path / "cache" / "models--acme--tiny"
    write_card(folder, source={"hub": "acme/tiny", "commit": COMMIT})
    (repository / "blobs").mkdir(parents=True)
    for file in card_of(folder).files:
        link = repository / "snapshots" / COMMIT / file.path
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / file.path, repository / "blobs" / file.sha256)
        link.symlink_to(os.path.relpath(repository / "blobs" / file.sha256, link.parent))
    return repository


def test_a_hub_model_in_the_cache_needs_no_network(folder: Path, hub: Path) -> None:
    assert load_pipeline(card_of(folder), CPU).pipe.unet.dtype == torch.float32


def test_a_hub_model_that_is_not_here_says_so_and_may_come_later(folder: Path, hub: Path) -> None:
    shutil.rmtree(hub)
    with pytest.raises(
        HubUnavailable, match=f"acme/tiny at {COMMIT} is not in the hub's cache here, and the hub did not"
    ):
        load_pipeline(card_of(folder), CPU)


def test_a_hub_model_with_other_bytes_is_not_the_cards(folder: Path, hub: Path) -> None:
    blob = (hub / "snapshots" / COMMIT / UNET).resolve()
    blob.write_bytes(blob.read_bytes() + b"\x00")
    with pytest.raises(ModelMissing, match="its bytes are not those of its card"):
        load_pipeline(card_of(folder), CPU)


def test_a_hub_cache_whose_link_leaves_the_repository_is_refused(folder: Path, hub: Path, tmp_path: Path) -> None:
    link = hub / "snapshots" / COMMIT / UNET
    shutil.move(link.resolve(), tmp_path / "elsewhere")
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelRefused, match=f"{UNET}: is a link that leads out"):
        load_pipeline(card_of(folder), CPU)


def test_a_model_too_large_for_the_device_is_out_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(pipelines.diffusers.StableDiffusionPipeline, "to", full)
    with pytest.raises(OutOfMemory, match="model tiny alone does not fit on cpu"):
        load_pipeline(card_of(folder), CPU)


def test_what_a_library_says_of_a_model_is_one_sentence_of_ours(folder: Path) -> None:
    config = json.loads((folder / "unet/config.json").read_text())
    (folder / "unet/config.json").write_text(json.dumps(config | {"block_out_channels": [8, 24]}))
    write_card(folder)
    with pytest.raises(ModelRefused, match=r"^model tiny: diffusers cannot load it: \w+: .+$"):
        load_pipeline(card_of(folder), CPU)


def as_downloaded(folder: Path) -> None:
    """Half precision only, in two shards, with what tokenizers and chat templates bring."""
    unet = folder / "unet"
    tensors = safetensors.numpy.load_file(folder / UNET)
    (folder / UNET).unlink()
    shards = {
        f"diffusion_pytorch_model.fp16-0000{n}-of-00002.safetensors": dict([*tensors.items()][n - 1 :: 2])
        for n in (1, 2)
    }
    for name, some in shards.items():
        safetensors.numpy.save_file(some, unet / name, metadata={"format": "pt"})
    weight_map = {key: name for name, some in shards.items() for key in some}
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": weight_map}
    (unet / "diffusion_pytorch_model.safetensors.index.fp16.json").write_text(json.dumps(index))
    (folder / "tokenizer" / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "tokenizer" / "spiece.model").write_bytes(b"a vocabulary")
    (folder / "text_encoder/model.safetensors").rename(folder / "text_encoder/model.fp16.safetensors")
    index_file = folder / "model_index.json"
    fields = json.loads(index_file.read_text())
    fields |= {"image_encoder": [None, None], "requires_safety_checker": None, "feature_extractor": [None, None]}
    index_file.write_text(json.dumps(fields))


def test_a_folder_as_people_download_it_loads_to_the_same_weights(folder: Path) -> None:
    whole = load_pipeline(card_of(folder), CPU).pipe.unet.state_dict()
    as_downloaded(folder)
    write_card(folder, source={"folder": ".", "variant": "fp16"})
    sharded = load_pipeline(card_of(folder), CPU).pipe.unet.state_dict()
    assert all(torch.equal(sharded[name], tensor) for name, tensor in whole.items())


def test_pipelines_stay_in_memory_within_the_budget_and_the_last_used_the_longest(folder: Path) -> None:
    loads: list[str] = []

    def load(card: ModelCard, device: torch.device) -> Loaded:
        loads.append(card.revision)
        return Loaded(None, {"revision": card.revision}, card.family, card.family.call_for(card.pipeline))

    cards = []
    for name in "abc":
        (folder.parent / name).mkdir()
        (folder.parent / name / "model_index.json").write_text(name)
        write_card(folder.parent / name)
        cards.append(card_of(folder.parent / name))

    def loaded_by(sizes: dict[str, int], budget: int, order: tuple[int, ...]) -> list[int]:
        loads.clear()
        kept = Pipelines(CPU, load, budget, measure=lambda loaded: sizes[loaded.scheduler_config["revision"]])
        for n in order:
            kept.get(cards[n])
        return [[card.revision for card in cards].index(revision) for revision in loads]

    one_each = {card.revision: 1_000 for card in cards}
    assert loaded_by(one_each, 2_000, (0, 1, 0, 2, 0, 1)) == [0, 1, 2, 1]
    assert loaded_by(one_each, 3_000, (0, 1, 0, 2, 0, 1)) == [0, 1, 2], "all three fit"
    assert loaded_by(one_each, 10, (0, 1, 0, 0)) == [0, 1, 0], "one stays, whatever its size"
    large = one_each | {cards[2].revision: 2_000}
    assert loaded_by(large, 3_000, (0, 1, 2, 1, 0)) == [0, 1, 2, 0], "what is measured counts from then on"


def test_a_model_that_does_not_fit_beside_others_is_loaded_without_them(folder: Path) -> None:
    card = card_of(folder)
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "model_index.json").write_text("other")
    write_card(folder.parent / "other")
    other, there = card_of(folder.parent / "other"), list[str]()

    def load(card: ModelCard, device: torch.device) -> Loaded:
        if kept._loaded:
            raise OutOfMemory("it does not fit")
        there.append(card.revision)
        return Loaded(None, {}, card.family, card.family.call_for(card.pipeline))

    kept = Pipelines(CPU, load, 10**12, measure=lambda loaded: 0)
    kept.get(card)
    kept.get(other)
    assert there == [card.revision, other.revision]


def test_a_file_is_hashed_once_a_process_and_again_when_it_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counting(root: Path, path: str) -> ModelFile:
        hashed.append(path)
        return file_of(root, path)

    monkeypatch.setattr(digests, "file_of", counting)
    card, known = card_of(folder), digests.FileDigests()
    for _ in range(3):
        assert [known.of(folder, file.path) for file in card.files] == list(card.files)
    assert len(hashed) == len(card.files)
    changed = folder / card.files[0].path
    changed.write_bytes(bytes(changed.stat().st_size))  # as many bytes
    assert known.of(folder, card.files[0].path) != card.files[0]
    assert len(hashed) == len(card.files) + 1


def test_weights_are_measured_once_each(folder: Path) -> None:
    loaded = load_pipeline(card_of(folder), CPU)
    parts = (loaded.pipe.unet, loaded.pipe.vae, loaded.pipe.text_encoder)
    expected = sum(tensor.nbytes for part in parts for tensor in (*part.parameters(), *part.buffers()))
    loaded.pipe_for("image-to-image")
    assert 0.95 * expected <= weights_of(loaded) <= expected


def test_the_memory_message_of_a_real_cpu_allocation_is_known() -> None:
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**50)
    assert faults.is_out_of_memory(failure.value)
    assert not faults.is_out_of_memory(RuntimeError("shapes do not match"))


def test_equal_files_make_equal_revisions_whatever_their_order(folder: Path) -> None:
    files = card_of(folder).files
    assert revision_of(reversed(files)) == revision_of(files)
    assert revision_of(files[1:]) != revision_of(files)
