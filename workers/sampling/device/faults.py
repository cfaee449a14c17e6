"""Faults of a device: memory that ran out, and a context that is lost."""

from __future__ import annotations

import gc

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, its libraries or the host ran out of memory; on a CPU only the message says so."""
    messages = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in messages)


def is_device_error(error: BaseException) -> bool:
    """Whether the device itself failed: its context is lost, and only a new process can use it again."""
    messages = ("CUDA error", "device-side assert", "CUDNN_STATUS_EXECUTION_FAILED", "CUBLAS_STATUS_EXECUTION_FAILED")
    return not is_out_of_memory(error) and (
        isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in messages)
    )


def empty_cache() -> None:
    """Gives unused memory back to the device. Call it with no exception in flight: a traceback keeps tensors in use."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
