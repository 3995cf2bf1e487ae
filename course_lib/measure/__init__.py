"""What a network costs: counted (parameters, multiply-accumulates, activations), timed, weighed and estimated.

count(model, *inputs) -> Counts         .parameters, .macs, .activations, .bytes, .table(), .show()
latency(call) -> Latency                .median, .low, .high in seconds
compare({name: call}) -> Comparison     calls timed in turn: found[name] in seconds, found.ratio(over, under)
peak_memory(call) -> PeakMemory         .bytes at the worst moment, .kept at the end
energy(counts) -> Energy                .arithmetic, .memory, .total in joules, from a published table
gpu_energy(call) -> MeasuredEnergy      .joules per call, from the GPU's own meter
ceilings(device) -> Ceilings            how fast this machine multiplies and reads, at best
roofline(model, *inputs) -> Roofline    each layer's rate against this machine's ceilings: .table(), .show(), .plot()
"""

from course_lib.measure.ceilings import Ceilings, ceilings
from course_lib.measure.comparison import Comparison, compare
from course_lib.measure.counts import Counts, LayerCount, count
from course_lib.measure.energy import Energy, energy
from course_lib.measure.gpu_energy import MeasuredEnergy, NoEnergyMeter, gpu_energy
from course_lib.measure.latency import Latency, latency
from course_lib.measure.layer_rates import LayerRate
from course_lib.measure.memory import PeakMemory, peak_memory
from course_lib.measure.roofline import Roofline, roofline
from course_lib.measure.table import Table

__all__ = [
    "Ceilings",
    "Comparison",
    "Counts",
    "Energy",
    "Latency",
    "LayerCount",
    "LayerRate",
    "MeasuredEnergy",
    "NoEnergyMeter",
    "PeakMemory",
    "Roofline",
    "Table",
    "ceilings",
    "compare",
    "count",
    "energy",
    "gpu_energy",
    "latency",
    "peak_memory",
    "roofline",
]
