"""What a kernel takes of a GPU: registers, spills, shared memory, and the instructions it uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course_lib.cuda.gpu.nvrtc import compile_cubin, compile_ptx
from course_lib.cuda.reading.kernel_text import read_kernel

__all__ = ["Resources", "inspect"]


@dataclass(frozen=True)
class Resources:
    """ptxas's report on one kernel for one architecture, and its PTX.

    registers     per thread.
    spill_stores  bytes per thread that did not fit in registers and are written to memory.
    spill_loads   bytes read back.
    stack         bytes per thread of local memory: spills, and arrays that are indexed at run time.
    shared        bytes of static shared memory per block.
    """

    kernel: str
    arch: str
    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int
    ptx: str

    def uses(self, instruction: str) -> bool:
        """True if an instruction whose name starts with `instruction` stands in the PTX: `uses("mma.sync")`."""
        return re.search(rf"(?<![\w.]){re.escape(instruction)}", self.ptx) is not None

    def __str__(self) -> str:
        return (
            f"{self.kernel} on {self.arch}: {self.registers} registers, {self.shared} bytes of shared memory, "
            f"{self.stack} bytes of stack, spills {self.spill_stores} bytes"
        )


def inspect(source_or_path: str | Path, name: str, arch: str, *, options: Sequence[str] = ()) -> Resources:
    """Compile a kernel for a GPU architecture ("sm_75", "sm_80", "sm_89", "sm_90", "sm_90a"); no GPU is needed.

    Raises native.CompileError if it does not compile there, nvrtc.NoNvrtc if NVRTC is not installed.
    """
    kernel = read_kernel(source_or_path, name, options)
    cubin = compile_cubin(kernel, arch)
    ptx = compile_ptx(kernel, arch.replace("sm_", "compute_"))
    report = _report(cubin.log, cubin.symbol)

    def number(pattern: str) -> int:
        match = re.search(pattern, report)
        return int(match.group(1)) if match else 0

    return Resources(
        kernel=name,
        arch=arch,
        registers=number(r"Used (\d+) registers"),
        spill_stores=number(r"(\d+) bytes spill stores"),
        spill_loads=number(r"(\d+) bytes spill loads"),
        stack=number(r"(\d+) bytes stack frame"),
        shared=number(r"(\d+) bytes smem"),
        ptx=_without_other_kernels(ptx, cubin.symbol),
    )


def _without_other_kernels(ptx: str, symbol: str) -> str:
    """The PTX without the bodies of other entries: functions that are called from several stay."""
    parts = re.split(r"^(?=(?:\.visible\s+)?\.entry\s)", ptx, flags=re.MULTILINE)
    kept = [parts[0]]
    for part in parts[1:]:
        end = part.find("\n}")
        is_wanted = re.match(rf"(?:\.visible\s+)?\.entry\s+{re.escape(symbol)}\b", part) is not None
        kept.append(part if is_wanted else part[end + 2 :])
    return "".join(kept)


def _report(log: str, symbol: str) -> str:
    """The part of ptxas's report that is about one entry function."""
    parts = re.split(r"(?=ptxas info\s+: Compiling entry function ')", log)
    for part in parts[1:]:
        if part.startswith(("ptxas info",)) and f"'{symbol}'" in part.splitlines()[0]:
            return part
    raise ValueError(f"ptxas reported nothing about {symbol}: {log.strip() or 'an empty log'}")
