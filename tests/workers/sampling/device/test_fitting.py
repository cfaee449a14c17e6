"""Batch sizes: what did not fit is remembered, and tried again after a while."""

from __future__ import annotations

from itertools import pairwise

from workers.sampling.device.fitting import RUNS_BEFORE_A_TRIAL, BatchLimits


def run(sizes: BatchLimits, room: int, wanted: int = 8) -> list[int]:
    """The runs that one batch takes on a device with room for so many images."""
    tried, left = [], wanted
    while left:
        size = sizes.most("sdxl", left)
        tried.append(size)
        if size > room:
            sizes.ran_out("sdxl", size)
        else:
            sizes.went_through("sdxl", size)
            left -= size
    return tried


def test_one_bad_moment_is_forgotten_after_some_runs() -> None:
    sizes = BatchLimits()
    assert run(sizes, room=2) == [8, 4, 2, 2, 2, 2]
    batches = [run(sizes, room=8) for _ in range(40)]
    assert batches[0] == [2, 2, 2, 2]
    assert batches[-1] == [8]


def test_a_device_that_stays_small_is_asked_ever_less_often() -> None:
    sizes = BatchLimits()
    run(sizes, room=2)
    failures = [n for n in range(400) if any(size > 2 for size in run(sizes, room=2))]
    assert failures, "it is tried again"
    assert len(failures) < 8
    gaps = [after - before for before, after in pairwise(failures)]
    assert gaps == sorted(gaps)


def test_limits_of_one_size_do_not_bind_another() -> None:
    sizes = BatchLimits()
    sizes.ran_out("1024", 4)
    assert (sizes.most("1024", 8), sizes.most("512", 8)) == (2, 8)


def test_a_smaller_run_proves_nothing() -> None:
    sizes = BatchLimits()
    sizes.ran_out("sdxl", 8)
    for _ in range(10 * RUNS_BEFORE_A_TRIAL):
        sizes.went_through("sdxl", 1)
    assert sizes.most("sdxl", 8) == 4
