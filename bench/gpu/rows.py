"""Rows of the GPU benchmark: what each measures, prints and reports. A row that finds no time left says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from bench.gpu import line, machine
from bench.gpu.published import MODELS, Model
from bench.gpu.rig import Bench, Rig
from bench.result import Ratio
from workers.sampling.device.speed import KERNELS, PLAIN, Speed, speed_for
from workers.sampling.families.table import FAMILIES
from workers.sampling.types import Pixels

IMAGES = 200  # of the line, if the time allows
FEW_STEPS, FEW_SIDE = 4, 512
_SHARE_OF_LINE = 0.25  # of the time that is left when it begins, and less for the few steps


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured, and until when."""

    bench: Bench
    until: float  # on the monotonic clock
    batch: int
    repeats: int
    rate: float  # FLOP a second of matrix products

    @property
    def left(self) -> float:
        return self.until - time.monotonic()


def plan_for(bench: Bench, minutes: float) -> Plan:
    """The matrix rate first; then a batch of SDXL says how much fits into the time."""
    until = time.monotonic() + 60 * minutes
    if bench.smoke:
        return Plan(bench, until, 2, 1, machine.matrix_rate(bench.device, bench.dtype, 256))
    rate = machine.matrix_rate(bench.device, bench.dtype, 8192)
    print(f"matrix products, 8192 x 8192, {bench.dtype}: {rate / 1e12:.0f} TFLOP/s", flush=True)
    draw = Rig(MODELS[1], bench, steps=2).plain()
    each = machine.seconds(partial(draw, 2), 1)[0] / 2 * MODELS[1].steps / 2  # a picture
    for batch, repeats in ((8, 2), (8, 1), (4, 1), (2, 1)):
        if each * batch * (1 + repeats) * 14 < 0.4 * 60 * minutes:  # about fourteen ways draw with SDXL
            break
    return Plan(bench, until, batch, repeats, rate)


def models(plan: Plan) -> Iterator[Ratio]:
    """The engine over plain diffusers, and what of the matrix rate it reaches, for each model."""
    for model in MODELS:
        if plan.left <= 0:
            print(f"\n{model.name}: not measured: no time left")
            continue
        rig = Rig(model, plan.bench)
        plain = rig.plain()
        work, one = machine.flop(partial(plain, 1))
        side = one.shape[1]
        print(
            f"\n{model.name}, {side} x {side}, {rig.steps} steps, batches of {plan.batch}: {work / 1e12:.3g} TFLOP a"
            f" picture, at the matrix rate {plan.rate / work:.3g} images/s"
        )
        taken, before = machine.seconds(partial(plain, plan.batch), plan.repeats)
        _say("plain diffusers, eager", plan, work, taken)
        del plain
        for name, compiled in (("engine", False), ("engine, compiled", True)):
            if compiled and plan.bench.smoke and model is not MODELS[1]:
                print(f"  {name:28} not measured: the smoke mode compiles SDXL alone")
                continue
            way = _default(model, plan.bench, compiled=compiled)
            draw = rig.engine(way) if plan.left > 0 else None
            if draw is None:
                print(f"  {name:28} not measured: {'no time left' if plan.left <= 0 else 'not compiled'}")
                continue
            ours, after = machine.seconds(partial(draw, plan.batch), plan.repeats)
            _say(name, plan, work, ours, f"   PSNR {machine.psnr(before, after):5.1f} dB")
            yield Ratio(f"{model.name}: {name} over plain diffusers", taken / ours)
            yield Ratio(f"{model.name}: {name}, share of the matrix rate", work * plan.batch / ours / plan.rate)
            del draw  # two models need not fit


def ways(plan: Plan) -> Iterator[Ratio]:
    """Each way alone, over the engine with none of them, on SDXL."""
    rig, cuda = Rig(MODELS[1], plan.bench), plan.bench.device.type == "cuda"
    print(f"\nEach way alone, {rig.model.name}, over the engine with none")
    before: tuple[float, Pixels] | None = None
    for name, speed in _switches().items():
        if speed.pinned and not cuda:
            print(f"  {name:28} not measured: only CUDA has it")
            continue
        draw = rig.engine(speed) if plan.left > 0 else None
        if draw is None:
            print(f"  {name:28} not measured: {'no time left' if plan.left <= 0 else 'not compiled'}")
            continue
        taken, pixels = machine.seconds(partial(draw, plan.batch), plan.repeats)
        before = before or (taken, pixels)
        off, without = before
        print(
            f"  {name:28} off {plan.batch / off:8.3f}   on {plan.batch / taken:8.3f} images/s   {off / taken:6.3f}"
            f"   PSNR {machine.psnr(without, pixels):5.1f} dB",
            flush=True,
        )
        if speed != PLAIN:
            yield Ratio(f"{name}, on over off", off / taken)
        del draw


def line_of_many_steps(plan: Plan) -> Iterator[Ratio]:
    """The share of a run in which the lock is held: what the device waits for besides is everything else."""
    yield from _line(plan, Rig(MODELS[1], plan.bench), "lock held", threads=2, share=_SHARE_OF_LINE)


def line_of_few_steps(plan: Plan) -> Iterator[Ratio]:
    """The same for a distilled model: marking has to keep up with the device, so more threads mark."""
    rig = Rig(MODELS[1], plan.bench, steps=FEW_STEPS, side=FEW_SIDE, few=True)
    yield from _line(plan, rig, f"{FEW_STEPS} steps, lock held", threads=8, share=_SHARE_OF_LINE / 2)
    if plan.left > 0 and (draw := rig.engine(_default(rig.model, plan.bench))):
        draw(plan.batch)
        name, busy = f"{FEW_STEPS} steps, device busy", machine.busy(plan.bench.device, partial(draw, plan.batch))
        print(f"  {name:28} {busy:8.3f} of the time in which a batch is drawn", flush=True)
        yield Ratio(name, busy)


def _line(plan: Plan, rig: Rig, name: str, *, threads: int, share: float) -> Iterator[Ratio]:
    draw = rig.engine(_default(rig.model, plan.bench)) if plan.left > 0 else None
    if draw is None:
        print(f"  {name:28} not measured: no time left")
        return
    each = machine.seconds(partial(draw, plan.batch), 1)[0]
    batches = 2 if plan.bench.smoke else max(3, min(IMAGES // plan.batch, int(share * plan.left / each)))
    passed = line.run(draw, batches=batches, batch=plan.batch, threads=threads)
    held = passed.drawing / passed.wall
    print(
        f"  {name:28} {held:8.3f} of {passed.wall:.1f} s for {passed.images} images, {threads} threads,"
        f" {passed.images / passed.wall:.3f} images/s",
        flush=True,
    )
    yield Ratio(name, held)


def _say(name: str, plan: Plan, work: float, taken: float, more: str = "") -> None:
    rate = plan.batch / taken
    print(f"  {name:28} {rate:8.3f} images/s   {work * rate / plan.rate:6.3f} of the matrix rate{more}", flush=True)


def _default(model: Model, bench: Bench, *, compiled: bool = False) -> Speed:
    """What a worker would choose; on a CPU, for the smoke mode, the ways that a CPU can go."""
    if bench.device.type == "cuda":
        return speed_for(FAMILIES[model.family], bench.device, bench.dtype, compiled=compiled)
    return replace(Speed(channels_last=True, attention=("flash", "math"), slices_from=2), compiled=compiled)


def _switches() -> dict[str, Speed]:
    """Every way by itself. Slices and tiles are set so that they act at this size."""
    return {
        "none": PLAIN,
        "channels_last": Speed(channels_last=True),
        **{f"attention {name}": Speed(attention=(name, "math")) for name in KERNELS if name != "math"},
        "float32 autoencoder": Speed(float32_vae=True),
        "autoencoder by pictures": Speed(slices_from=1),
        "autoencoder in tiles": Speed(tiles_above=1),
        "pinned memory": Speed(pinned=True),
        "compiled blocks": Speed(compiled=True),
    }
