"""Energy of a device, as its driver counts it (NVML's total energy consumption); None where it counts none.

Read before and after a run by the thread that holds the GPU lock. Another process on the same device is counted in:
the driver knows devices and not processes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import structlog
import torch

log = structlog.get_logger()
_LIBRARY = "libnvidia-ml.so.1"
_SUCCESS = 0


@dataclass(frozen=True, slots=True)
class EnergyMeter:
    """`read` is the counter in millijoules since the driver was loaded, None where there is none."""

    read: Callable[[], int | None]

    @classmethod
    def of(cls, device: torch.device) -> Self:
        """The meter of a torch device. Without a driver that counts, it reads nothing."""
        if device.type != "cuda":
            return cls(lambda: None)
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        try:
            return cls(counter(ctypes.CDLL(_LIBRARY), uuid))
        except OSError as error:
            log.info("energy_not_counted", reason=str(error))
            return cls(lambda: None)

    def start(self) -> Callable[[], float | None]:
        """Begin to measure; the answer says how many joules were used since."""
        before = self.read()

        def used() -> float | None:
            after = self.read()
            return None if before is None or after is None or after < before else (after - before) / 1000

        return used


def counter(library: Any, uuid: str) -> Callable[[], int | None]:
    """Reads the energy counter of one device from NVML. Raises OSError where NVML does not know the device."""
    handle = ctypes.c_void_p()
    for code in (library.nvmlInit_v2(), library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle))):
        if code != _SUCCESS:
            raise OSError(f"NVML answers {code} for {uuid}")

    def read() -> int | None:
        millijoules = ctypes.c_ulonglong()
        code = library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
        return int(millijoules.value) if code == _SUCCESS else None

    return read
