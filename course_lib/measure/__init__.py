"""What a network costs: counted (parameters, multiply-accumulates, activations) and timed.

count(model, *inputs) -> Counts     .parameters, .macs, .activations, .table(), .show()
latency(call) -> Latency            .median, .low, .high in seconds
"""

from course_lib.measure.counts import Counts, LayerCount, count
from course_lib.measure.latency import Latency, latency
from course_lib.measure.table import Table

__all__ = ["Counts", "Latency", "LayerCount", "Table", "count", "latency"]
