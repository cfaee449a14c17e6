"""Energy meter: what the driver counted between two readings, and nothing where it counts nothing."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch

from workers.sampling.device.energy import EnergyMeter, counter


class Nvml:
    """The three functions of NVML that are called, over a counter that a test sets."""

    def __init__(self, *, knows: str = "GPU-1", code: int = 0) -> None:
        self.millijoules, self._knows, self._code = 1_000, knows, code

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's name, as below
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, _handle: Any) -> int:  # noqa: N802
        return 0 if uuid.decode() == self._knows else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: Any, found: Any) -> int:  # noqa: N802
        ctypes.cast(found, ctypes.POINTER(ctypes.c_ulonglong))[0] = self.millijoules
        return self._code


def test_the_energy_of_a_run_is_what_the_counter_grew_by() -> None:
    nvml = Nvml()
    used = EnergyMeter(counter(nvml, "GPU-1")).start()
    nvml.millijoules += 2_500
    assert used() == 2.5


def test_a_device_that_counts_nothing_and_a_counter_that_began_anew_say_nothing() -> None:
    assert EnergyMeter(counter(Nvml(code=3), "GPU-1")).start()() is None  # not supported
    assert EnergyMeter.of(torch.device("cpu")).start()() is None
    nvml = Nvml()
    used = EnergyMeter(counter(nvml, "GPU-1")).start()
    nvml.millijoules = 5
    assert used() is None


def test_a_device_that_nvml_does_not_know_is_named() -> None:
    with pytest.raises(OSError, match="NVML answers 6 for GPU-2"):
        counter(Nvml(), "GPU-2")
