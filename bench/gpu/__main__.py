"""GPU benchmark: the engine over plain diffusers, each way to draw faster, and how much of a device is used.

python -m bench.gpu              any CUDA machine, without a network, within eight minutes
python -m bench.gpu --smoke      every row with tiny models on a CPU, in seconds: it shows that the program runs

Random weights of SD 1.5, SDXL and DiT-XL/2 in their published configurations. A figure of the smoke mode says nothing
about a GPU. Rows that find no time left say so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import diffusers
import torch

from bench.gpu import rows
from bench.gpu.rig import Bench
from bench.result import parser, report
from workers.sampling.device.devices import class_of
from workers.sampling.pipelines import keep_libraries_quiet

MINUTES = 7.5  # the rest of eight is for imports and the last row


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--smoke", action="store_true", help="tiny models on the CPU")
    options.add_argument("--minutes", type=float, default=MINUTES, help="time after which no row begins")
    asked = options.parse_args(argv)
    if not asked.smoke and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here; --smoke runs every row with tiny models on the CPU")
    bench = Bench(torch.device("cpu" if asked.smoke else "cuda:0"), asked.smoke)
    keep_libraries_quiet()
    started = time.monotonic()
    print(f"{class_of(bench.device)}, torch {torch.__version__}, diffusers {diffusers.__version__}", flush=True)
    plan = rows.plan_for(bench, asked.minutes / 4 if asked.quick else asked.minutes)
    ratios = [*rows.models(plan), *rows.ways(plan), *rows.line_of_many_steps(plan), *rows.line_of_few_steps(plan)]
    print(f"\nover after {time.monotonic() - started:.0f} s")
    if not ratios:
        raise SystemExit("no ratio was measured in so little time; --minutes gives more")
    report(ratios, asked.json)


if __name__ == "__main__":
    main()
