"""Training command: python -m models.train STAGE.

It runs every stage of the recipe, each safe to run again, in this order or with `all`.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
from pathlib import Path

STAGES = (
    "fetch", "data", "text", "denoiser", "decoder", "folder", "evaluate", "card", "lora", "evaluate-lora", "lora-card"
)  # fmt: skip
_MODELS = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    """Run one stage, or all of them."""
    asked = _parser().parse_args(arguments)
    for stage in STAGES if asked.stage == "all" else (asked.stage,):
        _RUN[stage](asked)


def _fetch(asked: argparse.Namespace) -> None:
    from models.train import sources  # noqa: PLC0415 - a stage loads what it needs

    sources.fetch(asked.work / "sources")


def _data(asked: argparse.Namespace) -> None:
    from models.train import dataset  # noqa: PLC0415

    dataset.make(asked.work / "sources", asked.work, count=asked.scenes, seed=asked.seed, processes=asked.workers)


def _text(asked: argparse.Namespace) -> None:
    from models.train import record, text  # noqa: PLC0415
    from models.train.dataset import Dataset  # noqa: PLC0415

    with record.timed(asked.work, "text", steps=asked.text_steps):
        text.train(Dataset.load(asked.work), asked.work, steps=asked.text_steps, seed=asked.seed, device=asked.device)


def _denoiser(asked: argparse.Namespace) -> None:
    from models.train import denoiser  # noqa: PLC0415

    denoiser.train(asked.work, denoiser.Plan(asked.samples, asked.workers, asked.seed, device=asked.device))


def _decoder(asked: argparse.Namespace) -> None:
    from models.train import decoder, record  # noqa: PLC0415

    with record.timed(asked.work, "decoder", pictures=asked.decoder_pictures):
        sources = asked.work / "sources"
        decoder.train(sources, asked.work, pictures=asked.decoder_pictures, seed=asked.seed, device=asked.device)


def _folder(asked: argparse.Namespace) -> None:
    from models.train import folder  # noqa: PLC0415

    folder.write(asked.work, _model(asked))


def _evaluate(asked: argparse.Namespace) -> None:
    from models.train import evaluation  # noqa: PLC0415

    seed = secrets.randbits(31) if asked.evaluation_seed is None else asked.evaluation_seed
    evaluation.model(asked.work / "sources", asked.work, _model(asked), prompts=asked.prompts, seed=seed)


def _card(asked: argparse.Namespace) -> None:
    from models.train import card, record  # noqa: PLC0415

    if asked.core_seconds:
        import torch  # noqa: PLC0415

        seen = int(torch.load(asked.work / "denoiser.pt", weights_only=True)["seen"])
        record.note(asked.work, "denoiser", core_seconds=asked.core_seconds, samples=seen)
    card.write(asked.work, _model(asked), upscalers=_MODELS / "upscalers")


def _lora(asked: argparse.Namespace) -> None:
    from models.train import lora  # noqa: PLC0415

    plan = lora.Plan(asked.lora_samples, asked.lora_scenes, asked.seed, device=asked.device)
    lora.train(asked.work / "sources", asked.work, _model(asked), plan)


def _evaluate_lora(asked: argparse.Namespace) -> None:
    from models.train import evaluation  # noqa: PLC0415

    seed = secrets.randbits(31) if asked.evaluation_seed is None else asked.evaluation_seed
    evaluation.adapter(asked.work / "sources", asked.work, _model(asked), prompts=asked.lora_prompts, seed=seed)


def _lora_card(asked: argparse.Namespace) -> None:
    from models.train import card, lora  # noqa: PLC0415

    place = asked.lora_folder or asked.work / "two-ink"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(asked.work / "lora" / lora.WEIGHTS, place / lora.WEIGHTS)
    card.write_lora(asked.work, _model(asked), place)


def _model(asked: argparse.Namespace) -> Path:
    folder: Path = asked.folder or asked.work / "model"
    return folder


_RUN = {
    "fetch": _fetch, "data": _data, "text": _text, "denoiser": _denoiser, "decoder": _decoder, "folder": _folder,
    "evaluate": _evaluate, "card": _card, "lora": _lora, "evaluate-lora": _evaluate_lora, "lora-card": _lora_card,
}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("stage", choices=(*STAGES, "all"))
    parser.add_argument(
        "--work", type=Path, default=Path("out/train"), help="folder for everything (default %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="the pipeline's folder; else WORK/model")
    parser.add_argument("--seed", type=int, default=7, help="of everything drawn by chance (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="where the networks learn: cpu, cuda (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes; one a core (default %(default)s)")
    parser.add_argument("--scenes", type=int, default=60_000, help="that are drawn to learn from (default %(default)s)")
    parser.add_argument("--samples", type=int, default=580_000, help="the denoiser sees (default %(default)s)")
    parser.add_argument("--text-steps", type=int, default=250, help="of the text encoder alone (default %(default)s)")
    parser.add_argument("--decoder-pictures", type=int, default=16_000, help="the decoder sees (default %(default)s)")
    parser.add_argument("--prompts", type=int, default=320, help="of the evaluation (default %(default)s)")
    parser.add_argument("--evaluation-seed", type=int, help="else a fresh one by chance; it is written down")
    parser.add_argument(
        "--core-seconds", type=float, help="card: of the denoiser, where its checkpoint is older than their record"
    )
    parser.add_argument("--lora-samples", type=int, default=12_000, help="the LoRA sees (default %(default)s)")
    parser.add_argument("--lora-scenes", type=int, default=3_000, help="it learns from (default %(default)s)")
    parser.add_argument("--lora-prompts", type=int, default=128, help="of its evaluation (default %(default)s)")
    parser.add_argument("--lora-folder", type=Path, help="where lora-card puts it; else WORK/two-ink")
    return parser


if __name__ == "__main__":
    main()
