"""Second opinion benchmark: innocent pictures of the built-in model that it lets go.

    python -m bench.second_opinion [--seeds 4]     --quick: one seed, 4 things on each ground

Draws every object before every background with every seed (224 pictures a seed, about half a minute on one core),
scores all with both networks, and counts what a threshold holds by the first alone, by the second alone, and where
both have to agree. What a second opinion costs in pictures that should be held is not measured: there is no lawful
set of them here. The band ends at 0.9, so that what the first network is sure of stays held whatever the second says.
"""

from __future__ import annotations

from pathlib import Path

import diffusers
import numpy as np
import torch

from bench.result import Ratio, parser, report
from policy.images.nsfw import MID_CARD, Nsfw
from policy.images.screen import ImageScreen
from policy.images.thresholds import wants_second_opinion
from policy.rules import Rules
from workers.sampling.cards.registry import Registry
from workers.sampling.pipelines import keep_libraries_quiet

REPOSITORY = Path(__file__).parent.parent
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int)
    asked_for = options.parse_args()
    few = 4 if asked_for.quick else None
    names, images = drawn(asked_for.seeds or (1 if asked_for.quick else 4), few)
    rules = Rules.load(REPOSITORY / "policy" / "rulesets" / "default.yaml")
    first, second = (_explicit(network, images) for network in (Nsfw.load(), Nsfw.load(MID_CARD)))
    print(f"{len(images)} innocent pictures; porn + hentai from the threshold on")
    print("threshold   first alone   second alone   both")
    for threshold in THRESHOLDS:
        a, b = first >= threshold, second >= threshold
        print(f"{threshold:9.1f}{a.sum():14}{b.sum():15}{(a & b).sum():7}")
    for of in np.argsort(-first)[:5]:
        print(f"  first {first[of]:.3f}  second {second[of]:.3f}  {names[of]}")
    rule = next(rule for rule in rules.image_rules if rule.second is not None)
    held = sum(not verdict.allowed for verdict in ImageScreen.load(rules).screen(images))
    alone = int((first >= (rule.hold or 1)).sum())
    asked = sum(
        wants_second_opinion(rule, {rule.classifier: {**dict.fromkeys(rule.scores, 0.0), rule.scores[0]: s}})
        for s in first
    )
    print(
        f"by the shipped rules: {alone} held by the first alone, {held} with the second, which was asked {asked} times"
    )
    released = (len(images) - held) / (len(images) - alone)
    report([Ratio("innocent pictures let go over those by the first alone", released, 1.02)], asked_for.json)


def drawn(seeds: int, few: int | None = None) -> tuple[list[str], np.ndarray]:
    """What each picture shows, and uint8 [N, 128, 128, 3]; of each ground the first `few` objects."""
    torch.set_num_threads(1)
    keep_libraries_quiet()
    card = Registry.load(REPOSITORY / "models").get("studio")
    pipe = getattr(diffusers, card.pipeline).from_pretrained(card.home, dtype=torch.float32, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    names, images = list[str](), list[np.ndarray]()
    for seed in range(seeds):
        for n, ground in enumerate(card.backgrounds):
            prompts = [f"a {thing} on a {ground} background" for thing in card.knows[:few]]
            made = pipe(
                prompts,
                width=card.width,
                height=card.height,
                num_inference_steps=card.num_inference_steps,
                guidance_scale=card.guidance_scale,
                guidance_rescale=card.guidance_rescale,
                generator=[
                    torch.Generator().manual_seed(1000 * seed + n * len(prompts) + k) for k in range(len(prompts))
                ],
                output_type="np",
            ).images
            names += [f"{prompt}, seed {seed}" for prompt in prompts]
            images.append((made * 255).round().astype(np.uint8))
    return names, np.concatenate(images)


def _explicit(network: Nsfw, images: np.ndarray) -> np.ndarray:
    wanted = [network.classes.index(name) for name in ("porn", "hentai")]
    return np.asarray(network.scores(images)[:, wanted].sum(axis=1))


if __name__ == "__main__":
    main()
