"""The energy of one call of a network, estimated from its counts and a published table of costs per operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from course_lib.measure.counts import Counts, count
from course_lib.measure.energy_table import ADD, MEMORY, MULTIPLY, SOURCE
from course_lib.measure.units import with_prefix

__all__ = ["Energy", "energy"]

# numbers that are multiplied -> bytes of one, and the type in which their products are summed
_TYPES = {"int8": (1, "int32"), "float16": (2, "float32"), "float32": (4, "float32"), "int32": (4, "int32")}


@dataclass(frozen=True, repr=False)
class Energy:
    """Joules of one call: an estimate that compares networks, not a measurement of this machine.

    arithmetic   the multiplications and additions of all MACs.
    weights      reading every parameter once.
    activations  writing every activation once and reading it once.
    source       where the costs per operation come from.
    """

    arithmetic: float
    weights: float
    activations: float
    source: str = SOURCE

    @property
    def memory(self) -> float:
        return self.weights + self.activations

    @property
    def total(self) -> float:
        return self.arithmetic + self.memory

    def __repr__(self) -> str:
        parts = (f"{with_prefix(getattr(self, name), 'J')} {name}" for name in ("arithmetic", "weights", "activations"))
        return f"{with_prefix(self.total, 'J')}: {', '.join(parts)}; costs per operation: {self.source}"


def energy(
    model: nn.Module | Counts,
    *inputs: Any,
    numbers: str = "float32",
    weights_in: str = "dram",
    activations_in: str = "dram",
) -> Energy:
    """Estimate the energy of `model(*inputs)`, or of a call that `measure.count` has counted.

    model           a model and its inputs, or a `Counts` alone.
    numbers         type of weights and activations: "int8", "float16", "int32" or "float32". Products of int8 are
        summed in int32 and those of float16 in float32, as the hardware does.
    weights_in, activations_in   where they are read and written: "sram_8kb", "sram_32kb", "sram_1mb", "dram", or
        "dram_high" (the source gives a range for DRAM; "dram" is its lower end). Accesses are of 64 bits, full ones.

    Each parameter is read once and each activation is written once and read once: what a machine with a large enough
    buffer next to its multipliers does at best. The counts cover multiply-accumulates alone; normalisation,
    activation functions and control cost extra.

    Raises ValueError for a type or a memory that is not in the table, and TypeError for inputs beside `Counts`.
    """
    _require("numbers", numbers, _TYPES)
    _require("weights_in", weights_in, MEMORY)
    _require("activations_in", activations_in, MEMORY)
    if isinstance(model, Counts) and inputs:
        raise TypeError("energy takes either a model with its inputs or Counts alone: these inputs were counted before")
    counts = model if isinstance(model, Counts) else count(model, *inputs)
    size, accumulator = _TYPES[numbers]
    picojoules_per_mac = MULTIPLY[numbers] + ADD[accumulator]
    return Energy(
        arithmetic=counts.macs * picojoules_per_mac * 1e-12,
        weights=counts.parameters * size / 8 * MEMORY[weights_in] * 1e-12,
        activations=2 * counts.activations * size / 8 * MEMORY[activations_in] * 1e-12,
    )


def _require(argument: str, value: str, allowed: dict[str, Any]) -> None:
    if value not in allowed:
        raise ValueError(f"energy: {argument} is one of {', '.join(allowed)}, not {value!r}")
