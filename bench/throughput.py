"""Throughput benchmark: images a second through the whole system, beside a bare diffusers loop with the same pipeline.

python -m bench.throughput [--images 64] [--batch 8] [--steps 8] [--threads 1]     --quick: 24 images

Both halves run on this machine, one after the other, with the same number of torch threads. The bare loop draws
and throws away. The system plans, sends, claims, draws, screens, marks, signs, reads back, stores, settles and
seals. Its clock starts when the campaign is committed and ends with the last settlement, on the database's clock.
Fewer cores used than there are threads to fill them: the machine was busy with something else, so compare CPU time.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import diffusers
import torch
from sqlalchemy import text

from bench.result import Ratio, parser, report
from bench.system import REPOSITORY, System
from policy.prompts.screen import screen_prompt
from policy.rules import Rules
from workers.jobs import keys
from workers.jobs.submit import submit
from workers.jobs.types import NewItem, NewRequest, new_id
from workers.recipes import Recipe, seed_for
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.pipelines import keep_libraries_quiet
from workers.states import Priority

TENANT = "bench"
_LOCKED = "presswork_sampling_seconds_sum"


@dataclass(frozen=True, slots=True)
class Half:
    """What one half of the comparison took."""

    images: int
    seconds: float
    cpu_seconds: dict[str, float]

    @property
    def rate(self) -> float:
        return self.images / self.seconds

    @property
    def cores(self) -> float:
        return sum(self.cpu_seconds.values()) / self.seconds


def main() -> None:
    wanted = _arguments()
    registry = Registry.load(REPOSITORY / "models")
    card = registry.get("studio")
    recipe = Recipe(
        card.name, card.revision, card.width, card.height, wanted.steps, card.scheduler, card.guidance_scale
    )
    prompts = list(itertools.islice(_prompts(card), wanted.images))
    bare = _bare(card, recipe, prompts, wanted.batch, wanted.threads)
    whole, locked, released = _whole(recipe, prompts, wanted.batch, wanted.threads)
    print(
        f"{wanted.images} images of {recipe.width} x {recipe.height}, {wanted.steps} steps,"
        f" batches of {wanted.batch}, {wanted.threads} torch thread(s)"
    )
    print(f"bare diffusers loop   {bare.rate:6.2f} images/s   {bare.cores:.2f} cores")
    print(f"the whole system      {whole.rate:6.2f} images/s   {whole.cores:.2f} cores   {released} released")
    for name, seconds in {**bare.cpu_seconds, **whole.cpu_seconds}.items():
        print(f"    {name:<18}{seconds / whole.images * 1000:6.1f} CPU ms an image")
    report(
        [
            Ratio("images a second over a bare diffusers loop", whole.rate / bare.rate),
            Ratio("share of wall time with the sampling lock held", locked / whole.seconds),
        ],
        wanted.json,
    )


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--images", type=int)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--threads", type=int, default=1, help="torch threads of either half")
    asked = options.parse_args()
    asked.images = asked.images or (24 if asked.quick else 64)
    return asked


def _prompts(card: ModelCard) -> Iterator[str]:
    pairs = itertools.product(card.backgrounds, card.knows)
    return (f"a {thing} on a {background} background" for background, thing in itertools.cycle(pairs))


def _bare(card: ModelCard, recipe: Recipe, prompts: list[str], batch: int, threads: int) -> Half:
    """The loop one would write without Presswork, its first batch thrown away."""
    torch.set_num_threads(threads)
    keep_libraries_quiet()
    pipe = getattr(diffusers, card.pipeline).from_pretrained(card.home, dtype=torch.float32, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    pipe.to("cuda" if torch.cuda.is_available() else "cpu")

    def draw(texts: list[str]) -> None:
        pipe(
            texts,
            width=recipe.width,
            height=recipe.height,
            num_inference_steps=recipe.num_inference_steps,
            guidance_scale=recipe.guidance_scale,
            guidance_rescale=card.guidance_rescale,
            generator=[torch.Generator().manual_seed(n) for n in range(len(texts))],
            output_type="np",
        )

    draw(prompts[:batch])
    started, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(prompts), batch):
        draw(prompts[first : first + batch])
    return Half(len(prompts), time.perf_counter() - started, {"bare loop": time.process_time() - cpu})


def _whole(recipe: Recipe, prompts: list[str], batch: int, threads: int) -> tuple[Half, float, int]:
    """The same prompts as a campaign, after one batch that warms everything up; also seconds locked, and released."""
    with System(max_batch=batch, torch_threads=threads, worker_threads=2) as system:
        with system.api.begin() as conn:
            conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": TENANT})
            keys.create_tenant(conn, TENANT, name="Benchmark", actor="bench")
        rules = Rules.load(system.settings("worker").policy_rules)
        _submit(system, rules, recipe, prompts[:batch])
        system.wait_until_settled()
        cpu, locked = system.cpu_seconds(), system.worker_metric(_LOCKED)
        campaign = _submit(system, rules, recipe, prompts)
        system.wait_until_settled()
        used = {name: seconds - cpu[name] for name, seconds in system.cpu_seconds().items()}
        row = system.query(
            "select extract(epoch from max(i.settled_at) - r.created_at)::float8 as seconds,"
            " count(*) filter (where i.state = 'released') as released"
            " from items i join requests r on r.id = i.request_id where r.id = :id group by r.created_at",
            id=campaign,
        )
        return Half(len(prompts), row.seconds, used), system.worker_metric(_LOCKED) - locked, row.released


def _submit(system: System, rules: Rules, recipe: Recipe, prompts: list[str]) -> str:
    """Stores a campaign as the API would; its id."""
    request = NewRequest(
        id=new_id(),
        tenant=TENANT,
        kind="campaign",
        name="throughput",
        template="{prompt}",
        model=recipe.model,
        model_revision=recipe.model_revision,
        priority=Priority.STANDARD,
        queue="gpu",
        key_id=new_id(),
        policy_version=rules.version,
    )
    items = [
        NewItem(n, str(n), 0, p, "", seed_for(request.id, str(n), 0), recipe, screen_prompt(rules, p, tenant=TENANT))
        for n, p in enumerate(prompts, start=1)
    ]
    with system.api.begin() as conn:
        conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": TENANT})
        submit(conn, request, items)
    return request.id


if __name__ == "__main__":
    main()
