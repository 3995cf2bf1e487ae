"""The energy counter of an NVIDIA GPU, read through NVML, the library that comes with the driver."""

from __future__ import annotations

import ctypes
import sys

import torch

from course_lib.errors import CourseError

__all__ = ["EnergyCounter", "NoEnergyMeter"]

_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


class NoEnergyMeter(CourseError):
    """There is no GPU whose energy can be read, and what to do instead."""


class EnergyCounter:
    """Joules used by one GPU, board and memory included, since its driver was loaded.

    uuid  as the driver writes it, "GPU-" included.

    Raises NoEnergyMeter where NVML is absent or refuses; GPUs older than Volta have no counter.
    """

    def __init__(self, uuid: str) -> None:
        try:
            self._nvml = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise NoEnergyMeter(_sentence(f"{_LIBRARY}, a part of NVIDIA's driver, cannot be loaded")) from error
        self._device = ctypes.c_void_p()
        self._ask("nvmlInit_v2")
        self._ask("nvmlDeviceGetHandleByUUID", ctypes.c_char_p(uuid.encode()), ctypes.byref(self._device))
        self.joules()

    def joules(self) -> float:
        """The counter's value; the driver renews it every 20 to 100 ms."""
        millijoules = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetTotalEnergyConsumption", self._device, ctypes.byref(millijoules))
        return millijoules.value / 1000

    def _ask(self, name: str, *arguments: object) -> None:
        status = getattr(self._nvml, name)(*arguments)
        if status:
            describe = self._nvml.nvmlErrorString
            describe.restype = ctypes.c_char_p
            raise NoEnergyMeter(_sentence(f"NVML's {name} answers {describe(status).decode()!r}"))


def current_gpu() -> str:
    """The UUID of torch's current GPU, as NVML takes it. Raises NoEnergyMeter where torch sees none."""
    if not torch.cuda.is_available():
        raise NoEnergyMeter(_sentence("torch sees no GPU"))
    uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def _sentence(cause: str) -> str:
    return (
        f"No GPU's energy meter can be read here: {cause}. "
        "`measure.energy(model, *inputs)` estimates the energy from a published table instead."
    )
