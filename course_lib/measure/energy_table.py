"""Published energy costs of single operations.

Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, pages 10-14, figure 1.1.9:
a 45 nm process at 0.9 V. Newer processes need less, and arithmetic has gained more than memory: read the numbers as
ratios. The cost of fetching and controlling an instruction, about 70 pJ on that processor, is in none of them.
"""

from __future__ import annotations

__all__ = ["ADD", "MEMORY", "MULTIPLY", "SOURCE"]

SOURCE = "Horowitz, ISSCC 2014 (45 nm, 0.9 V)"

# picojoules per operation
ADD = {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9}
MULTIPLY = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}

# picojoules per access of 64 bits: caches by size; for DRAM the source gives a range, here are its two ends
MEMORY = {"sram_8kb": 10.0, "sram_32kb": 20.0, "sram_1mb": 100.0, "dram": 1300.0, "dram_high": 2600.0}
