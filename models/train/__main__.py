"""python -m models.train STAGE: every stage of the recipe, each safe to run again, in this order or with `all`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

STAGES = ("fetch", "data", "text", "denoiser", "decoder", "folder", "evaluate")


def main(arguments: list[str] | None = None) -> None:
    """Run one stage, or all of them."""
    asked = _parser().parse_args(arguments)
    for stage in STAGES if asked.stage == "all" else (asked.stage,):
        _run(stage, asked)


def _run(stage: str, asked: argparse.Namespace) -> None:
    sources, work = asked.work / "sources", asked.work
    if stage == "fetch":
        from models.train import sources as packages  # noqa: PLC0415 - a stage loads what it needs

        packages.fetch(sources)
    elif stage == "data":
        from models.train import dataset  # noqa: PLC0415

        dataset.make(sources, work, count=asked.scenes, seed=asked.seed, processes=asked.workers)
    elif stage == "text":
        from models.train import text  # noqa: PLC0415
        from models.train.dataset import Dataset  # noqa: PLC0415

        text.train(Dataset.load(work), work, steps=asked.text_steps, seed=asked.seed)
    elif stage == "denoiser":
        from models.train import denoiser  # noqa: PLC0415

        denoiser.train(work, denoiser.Plan(asked.samples, asked.workers, asked.seed, device=asked.device))
    elif stage == "decoder":
        from models.train import decoder  # noqa: PLC0415

        decoder.train(sources, work, pictures=asked.decoder_pictures, seed=asked.seed)
    elif stage == "folder":
        from models.train import folder  # noqa: PLC0415

        folder.write(work, asked.folder or work / "model")
    else:
        _evaluate(sources, asked.folder or work / "model", asked)


def _evaluate(sources: Path, folder: Path, asked: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from diffusers import StableDiffusionPipeline  # noqa: PLC0415

    from models.train import evaluate  # noqa: PLC0415
    from models.train.sprites import Sprites  # noqa: PLC0415

    torch.set_num_threads(1)
    sprites = Sprites(sources)
    scenes = evaluate.fresh_scenes(asked.prompts, asked.seed + 1, sprites)
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, torch_dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    pictures: list[np.ndarray] = []
    for shown in evaluate.draw(pipeline, scenes, steps=8, guidance=3.0, rescale=0.5, seed=asked.seed):
        pictures.append(shown)
        print(f"\revaluate: {len(pictures)} of {len(scenes)} pictures", end="", flush=True)
    print()
    judges = {
        "templates": evaluate.judge_by_templates(scenes, pictures, sprites),
        "independent": evaluate.Independent(sprites, asked.seed).judge(scenes, pictures),
    }
    for name, tally in judges.items():
        for attribute in tally.right:
            worst = ", ".join(f"{value} {share:.0%}" for value, share, _ in tally.worst(attribute)[:4] if share < 1)
            print(f"{name:<12} {attribute:<18} {tally.share(attribute):6.1%}   worst: {worst or 'none'}")
    report = {name: tally.to_json() for name, tally in judges.items()}
    (asked.work / "evaluation.json").write_text(json.dumps(report, indent=1), "utf-8")
    evaluate.sheet(scenes[:96], pictures[:96], sprites, asked.work / "evaluation.png")
    print(f"wrote {asked.work / 'evaluation.json'} and {asked.work / 'evaluation.png'}: truth above, drawn below")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("stage", choices=(*STAGES, "all"))
    parser.add_argument(
        "--work", type=Path, default=Path("out/train"), help="folder for everything (default %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="the pipeline's folder; else WORK/model")
    parser.add_argument("--seed", type=int, default=7, help="of everything drawn by chance (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="where the denoiser learns: cpu, cuda (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes; one a core (default %(default)s)")
    parser.add_argument("--scenes", type=int, default=40_000, help="that are drawn to learn from (default %(default)s)")
    parser.add_argument("--samples", type=int, default=400_000, help="the denoiser sees (default %(default)s)")
    parser.add_argument("--text-steps", type=int, default=250, help="of the text encoder alone (default %(default)s)")
    parser.add_argument("--decoder-pictures", type=int, default=16_000, help="the decoder sees (default %(default)s)")
    parser.add_argument("--prompts", type=int, default=320, help="of the evaluation (default %(default)s)")
    return parser


if __name__ == "__main__":
    main()
