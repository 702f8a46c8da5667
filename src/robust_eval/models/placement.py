"""Where a local model runs and in which number format, decided without loading torch if possible."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from robust_eval.errors import ModelError, did_you_mean

DTYPES = ("float32", "bfloat16", "float16")
_DEVICE = re.compile(r"(cpu|mps|cuda(:\d+)?)\Z")


@dataclass(frozen=True, slots=True)
class Placement:
    device: str  # "cpu", "cuda", "cuda:1", "mps"
    dtype: str  # "float32", "bfloat16", "float16"

    @property
    def kind(self) -> str:
        """The device without its number: which numbers come out depends on this much."""
        return self.device.partition(":")[0]


def place(device: str, dtype: str) -> Placement:
    """The device and dtype that the settings mean; "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        ModelError: an unknown name, or a device that this machine does not have.
    """
    if device != "auto" and not _DEVICE.match(device):
        raise ModelError(
            f"unknown device '{device}'{did_you_mean(device, ('auto', 'cpu', 'cuda', 'mps'))}"
        )
    if dtype not in ("auto", *DTYPES):
        raise ModelError(f"unknown dtype '{dtype}'{did_you_mean(dtype, ('auto', *DTYPES))}")
    if device == "auto":
        device = "cuda" if _has_cuda() else "mps" if _has_mps() else "cpu"
    elif device.startswith("cuda"):
        _check_cuda(device)
    elif device == "mps" and not _has_mps():
        raise ModelError("device 'mps' needs a Mac with Apple silicon; use --device cpu")
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return Placement(device, dtype)


def major_minor(package: str) -> str:
    """The installed version up to its second number, without importing the package."""
    try:
        return ".".join(version(package).split("+")[0].split(".")[:2])
    except PackageNotFoundError:
        return "none"


def _check_cuda(device: str) -> None:
    if not _has_cuda():
        raise ModelError(
            f"device '{device}' is asked and torch finds no CUDA device; use --device cpu, or "
            "install a CUDA build of torch and its driver"
        )
    import torch

    count = torch.cuda.device_count()
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise ModelError(f"device '{device}' is asked and there are {count}; use cuda:{count - 1}")


def _has_cuda() -> bool:
    # Importing torch takes seconds; a CPU build or a machine without a driver needs no asking.
    try:
        if version("torch").endswith("+cpu"):
            return False
    except PackageNotFoundError:
        return False
    if os.name == "posix" and not any(
        Path(node).exists() for node in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
    ):
        return False
    import torch

    return torch.cuda.is_available()


def _has_mps() -> bool:
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return False
    import torch

    return torch.backends.mps.is_available()
