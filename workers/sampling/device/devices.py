"""Devices of torch: which one a setting means, and what it is called."""

from __future__ import annotations

import socket

import torch


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto" is the first CUDA device, else the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def id_of(device: torch.device) -> str:
    """The same for every process on this device, and no other device's."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_properties(device).uuid)
    return f"{device}@{socket.gethostname()}"


def class_of(device: torch.device) -> str:
    """The name that it gives itself, such as NVIDIA H200, or cpu."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else str(device)
