"""Masks benchmark: how near masks, mattes and colours come to known ones, what it costs, and whether white stays white.

python -m bench.masks            32 pictures a ground, about ten minutes on one core; --quick: 3 pictures, a minute

The pictures are products drawn by formula before white, black, studio and busy grounds, so alpha is known to the bit.
Costs are CPU time of one thread, in the same run as what stands beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.result import Ratio, parser, report
from policy.marks import watermark
from policy.marks.pure_ground import pure_ground
from tests.support.pictures import jpeg, resized
from tests.support.products import Shot, bottle
from workers.gpu.backgrounds import load_network
from workers.masks import choose, compositing, ground, measures
from workers.masks.foreground import foreground
from workers.masks.mask import HALF
from workers.masks.matting import UNKNOWN, matte, trimap
from workers.masks.network import MaskNetwork
from workers.masks.options import Shadow
from workers.masks.shadow import shade
from workers.sampling.cards.mask_networks import read_mask_network

MODELS = Path(__file__).resolve().parent.parent / "models"
GROUNDS = ("white", "black", "studio", "busy")
ID = 0xABCDEF012345
COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as is": lambda image: image,
    "JPEG 90": lambda image: jpeg(image, 90),
    "JPEG 75": lambda image: jpeg(image, 75),
    "half": lambda image: resized(image, 0.5),
    "0.7": lambda image: resized(image, 0.7),
    "0.7+JPEG 90": lambda image: jpeg(resized(image, 0.7), 90),
}


def shots(kind: str, count: int, side: int) -> list[Shot]:
    """Every other with a soft shadow, at places that differ."""
    return [
        bottle(side, ground=kind, shadow=0.35 * (n % 2) * (kind != "black"), seed=n, at=0.4 + 0.05 * (n % 5))
        for n in range(count)
    ]


def quality(network: MaskNetwork, count: int) -> list[Ratio]:
    """IoU of the masks, and mean error in levels along the edge, of alpha and of the product's colours."""
    heads = {"IoU, median": 14, "p10": 8, "held": 8, "by colour": 12, "edge: mask": 13, "matte": 8}
    heads |= {"colours: as is": 17, "own": 7}
    print(" " * 10 + "".join(f"{head:>{width}}" for head, width in heads.items()))
    gains: dict[str, list[float]] = {"matte": [], "colours": []}
    overlaps: list[float] = []
    for kind in GROUNDS:
        rows = [_row(network, shot) for shot in shots(kind, count, 512)]
        overlap, held, keyed, rough, solved, left, own = (np.array(column, float) for column in zip(*rows, strict=True))
        overlaps += overlap.tolist()
        gains["matte"] += (rough / solved).tolist()
        gains["colours"] += (left / own).tolist()
        by_colour = np.nanmedian(keyed) if np.isfinite(keyed).any() else float("nan")
        print(
            f"{kind:10}{np.median(overlap):14.3f}{np.percentile(overlap, 10):8.3f}{held.mean():8.0%}"
            f"{by_colour:12.3f}{rough.mean():13.1f}{solved.mean():8.1f}"
            f"{left.mean():17.1f}{own.mean():7.1f}",
            flush=True,
        )
    return [
        Ratio("masks: IoU with the known product, tenth percentile", float(np.percentile(overlaps, 10)), 1.05),
        Ratio("masks: error of the mask over that of the matte, along edges", float(np.median(gains["matte"]))),
        Ratio("masks: colours at edges, error as they are over estimated", float(np.median(gains["colours"]))),
    ]


def _row(network: MaskNetwork, shot: Shot) -> tuple[float, ...]:
    chosen = choose.choose(shot.picture, network)
    solid = cv2.morphologyEx(shot.alpha, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)) >= HALF
    found = ground.keyed(shot.picture)
    keyed = measures.overlap(found.without, solid) if found else float("nan")
    known = trimap(chosen.mask)
    solved = matte(shot.picture, chosen.mask, known)
    band, mixed = known == UNKNOWN, (shot.alpha > 25) & (shot.alpha < 230)
    own = foreground(shot.picture, shot.alpha)
    return (
        measures.overlap(chosen.mask.product, solid),
        chosen.check.hold,
        keyed,
        _apart(chosen.mask.alpha, shot.alpha, band),
        max(0.1, _apart(solved.alpha, shot.alpha, band)),
        _apart(shot.picture, shot.product, mixed),
        max(0.1, _apart(own, shot.product, mixed)),
    )


def _apart(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float32) - other)[where].mean())


def cost(network: MaskNetwork, side: int) -> list[Ratio]:
    """Milliseconds of each step, beside the mark of the same picture."""
    shot = bottle(side, ground="studio", shadow=0.35, seed=2)
    mask = network.find(shot.picture)
    solved = matte(shot.picture, mask)
    own = foreground(shot.picture, solved.alpha)
    cutout, under = compositing.Cutout(own, solved.alpha), np.full_like(shot.picture, 230)
    scheme = watermark.ladder(shot.picture)[0]
    steps: dict[str, Callable[[], object]] = {
        "mask": lambda: network.find(shot.picture),
        "mask, mirrored too": lambda: choose.choose(shot.picture, network),
        "matting": lambda: matte(shot.picture, mask),
        "foreground": lambda: foreground(shot.picture, solved.alpha),
        "compositing": lambda: compositing.composite(cutout, under, shade(solved.alpha, Shadow())),
        "watermark": lambda: watermark.embed(shot.picture, ID, scheme),
        "pure ground": lambda: pure_ground(shot.picture),
    }
    taken = {name: _milliseconds(act) for name, act in steps.items()}
    print(f"\nMilliseconds at {side} x {side}, one core: " + ", ".join(f"{name} {t:.0f}" for name, t in taken.items()))
    parts = ("mask", "matting", "foreground", "compositing")
    return [Ratio(f"masks: watermark over {name}, {side} x {side}", taken["watermark"] / taken[name]) for name in parts]


def _milliseconds(act: Callable[[], object]) -> float:
    """The least of three runs."""
    taken = []
    for _ in range(3):
        began = time.thread_time()
        act()
        taken.append(time.thread_time() - began)
    return 1000 * min(taken)


def white(count: int) -> list[Ratio]:
    """Copies of which the watermark reads, for products on white and black whose ground was left as it is."""
    print("\nReads of a watermark beside a pure ground, and the ground kept, per cent")
    shares = []
    for kind in ("white", "black"):
        for side in (512, 1024):
            reads = dict.fromkeys(COPIES, 0)
            kept = []
            for shot in shots(kind, count, side):
                found = pure_ground(shot.picture)
                if found is None:
                    continue
                scheme = watermark.off_ground(watermark.ladder(shot.picture)[found.leaves_little])
                marked = watermark.embed(shot.picture, ID, scheme, found.where)
                kept.append(found.kept(shot.picture, marked))
                for name, copy in COPIES.items():
                    read = watermark.read(copy(marked))
                    reads[name] += read is not None and read.watermark_id == ID
            cells = "".join(f"{name} {100 * found / count:.0f}, " for name, found in reads.items())
            print(f"  {kind} {side:5}: {cells}kept {100 * min(kept):.2f}", flush=True)
            shares += [found / count for found in reads.values()]
    return [Ratio("white: reads beside a pure ground, all copies", float(np.mean(shares)), 1.1)]


def main() -> None:
    asked = parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    card = read_mask_network(MODELS)
    assert card is not None
    network = load_network(card)
    count = 3 if asked.quick else 32
    ratios = quality(network, count)
    for side in (512,) if asked.quick else (512, 1024):
        ratios += cost(network, side)
    report(ratios + white(count), asked.json)


if __name__ == "__main__":
    main()
