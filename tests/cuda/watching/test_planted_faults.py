"""Faults planted into correct kernels, one edit each: the check finds each, says what and where, and nothing else."""

import numpy as np
import pytest

from course_lib import cuda
from tests.cuda import third_party


def planted(case, rng, *edits):
    """The case's launch with its source edited."""
    kernel, grid, block, arguments, shared_mem, _, _ = case(rng)
    source = kernel.source.text
    for old, new in edits:
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the source"
        source = source.replace(old, new)
    edited = cuda.compile(source, kernel.name, backend="host")
    if "coeff" in edited.host().library.variables:
        edited.variable("coeff")[:] = kernel.variable("coeff")
    return cuda.check(edited, grid, block, arguments, shared_mem), source


def line_of(source, piece):
    return next(k for k, line in enumerate(source.splitlines(), 1) if piece in line)


FAULTS = {
    "missing barrier before the tile is used": (
        third_party.tiled_matmul,
        [("        __syncthreads();\n#pragma unroll", "#pragma unroll")],
        "race",
        {"As", "Bs"},
        "acc += As",
    ),
    "missing barrier before the tile is overwritten": (
        third_party.tiled_matmul,
        [("Bs[i][tx];\n        __syncthreads();", "Bs[i][tx];")],
        "race",
        {"As", "Bs"},
        "acc += As",
    ),
    "missing barrier in a reduction": (
        third_party.reduction,
        [("    __syncthreads();\n", "")],
        "race",
        {"shared"},
        "val = (threadIdx.x",
    ),
    "missing barrier in a scan": (
        third_party.prefix_scan,
        [("        offset >>= 1;\n        __syncthreads();", "        offset >>= 1;")],
        "race",
        {"temp"},
        "",
    ),
    "missing barrier in a transpose": (
        third_party.transpose,
        [("    __syncthreads();\n", "")],
        "race",
        {"tile"},
        "odata[",
    ),
    "off-by-one read": (
        third_party.vector_add,
        [
            (
                "if (i < numElements) {\n        C[i] = A[i] + B[i];",
                "if (i < numElements) {\n        C[i] = A[i] + B[i + 1];",
            )
        ],
        "out-of-bounds read",
        {"B"},
        "B[i + 1]",
    ),
    "off-by-one write": (
        third_party.vector_add,
        [
            (
                "if (i < numElements) {\n        C[i] = A[i] + B[i];",
                "if (i < numElements) {\n        C[i + 1] = A[i] + B[i];",
            )
        ],
        "out-of-bounds write",
        {"C"},
        "C[i + 1]",
    ),
    "off-by-one bound": (
        third_party.layer_norm,
        [("if (row >= N) return;", "if (row > N) return;")],
        "out-of-bounds read",
        {"inp"},
        "load_float",
    ),
    "off-by-one in a shared array": (
        third_party.stencil_2d,
        [("y < BY + 2 * RADIUS; y += BY", "y <= BY + 2 * RADIUS; y += BY")],
        "out-of-bounds write",
        {"tile"},
        "tile[y][x] =",
    ),
    "a bound that is missing": (
        third_party.stencil_2d,
        [("if (gx >= width || gy >= height) return;", "if (gx >= width) return;")],
        "out-of-bounds write",
        {"out"},
        "out[gy",
    ),
    "too little dynamic shared memory": (
        third_party.prefix_scan,
        [("temp[2 * thid + 1] = g_idata", "temp[2 * thid + 2] = g_idata")],
        "out-of-bounds write",
        {"temp"},
        "temp[2 * thid + 2]",
    ),
    "barrier in a branch": (
        third_party.transpose,
        [("    __syncthreads();", "    if (threadIdx.y < 4) __syncthreads();")],
        "barrier divergence",
        {""},
        "__syncthreads",
    ),
    "barrier after some threads have returned": (
        third_party.stencil_2d,
        [
            (
                "    __syncthreads();\n    if (gx >= width || gy >= height) return;",
                "    if (gx >= width || gy >= height) return;\n    __syncthreads();",
            )
        ],
        "barrier divergence",
        {""},
        "__syncthreads",
    ),
    "barrier in a loop of different lengths": (
        third_party.histogram,
        [("atomicAdd(&local[data[pos]], 1u);", "{ atomicAdd(&local[data[pos]], 1u); __syncthreads(); }")],
        "barrier divergence",
        {""},
        "atomicAdd(&local",
    ),
    "race between blocks": (
        third_party.reduction,
        [("if (threadIdx.x == 0) atomicAdd(out, sum);", "if (threadIdx.x == 0) *out += sum;")],
        "race",
        {"out"},
        "*out += sum",
    ),
    "race between the threads of a block": (
        third_party.histogram,
        [("atomicAdd(&local[data[pos]], 1u);", "local[data[pos]] += 1u;")],
        "race",
        {"local"},
        "local[data[pos]]",
    ),
    "a grid that covers elements twice": (
        third_party.vector_add,
        [("C[i] = A[i] + B[i];\n    }\n", "C[i] = A[i] + B[i] + C[(i + 1) % numElements];\n    }\n")],
        "race",
        {"C"},
        "C[(i + 1)",
    ),
    "shared counters that nobody set": (
        third_party.histogram,
        [("local[i] = 0;", ";")],
        "uninitialised shared memory",
        {"local"},
        "atomicAdd(&local",
    ),
    "a halo that nobody filled": (
        third_party.stencil_2d,
        [("for (int x = threadIdx.x; x < BX + 2 * RADIUS; x += BX)", "for (int x = threadIdx.x; x < BX; x += BX)")],
        "uninitialised shared memory",
        {"tile"},
        "sum += coeff",
    ),
    "a sum that starts from nothing": (
        third_party.prefix_scan,
        [("    if (thid == 0) temp[n - 1] = 0;", "")],
        None,
        set(),
        "",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_planted_fault_is_found(rng, name):
    case, edits, kind, arrays, piece = FAULTS[name]
    report, source = planted(case, rng, *edits)
    if kind is None:  # wrong, but no rule of CUDA is broken: for a comparison of results to find
        assert report.ok, str(report)
        return
    found = [finding for finding in report.findings if finding.kind == kind]
    assert found, str(report)
    assert {finding.array for finding in found} <= arrays, str(report)
    assert all(finding.thread is not None and finding.block is not None for finding in found)
    lines = {place.line for finding in found for place in (finding.place, finding.other) if place is not None}
    if piece:
        assert line_of(source, piece) in lines, f"expected line {line_of(source, piece)}\n{report}"
    # one mistake, one kind of finding: what it leads to is not held against the kernel a second time
    consequences = {"race", "uninitialised shared memory"} if kind == "barrier divergence" else set()
    if "out-of-bounds" in kind:
        consequences = {"out-of-bounds read", "out-of-bounds write", "uninitialised shared memory", "race"}
    assert report.kinds() <= {kind} | consequences, str(report)


def test_the_report_reads_as_sentences(rng):
    report, source = planted(
        third_party.vector_add, rng, ("C[i] = A[i] + B[i];\n    }\n", "C[i] = A[i] + B[i + 1];\n    }\n")
    )
    assert not report.ok
    assert str(report).splitlines()[0] == "vectorAdd: 1 fault found."
    (finding,) = report.findings
    assert (finding.index, finding.thread, finding.block) == (1003, (106, 0, 0), (7, 0, 0))
    assert finding.line == line_of(source, "B[i + 1]")
    assert "reads B[1003]; B has 1003 elements, 0 to 1002" in report.message
    assert "C[i] = A[i] + B[i + 1];" in report.message


def test_a_fault_in_an_included_file_names_that_file(tmp_path):
    (tmp_path / "part.cuh").write_text(
        "#pragma once\n\n__device__ float part(const float* x, int i) { return x[i]; }\n"
    )
    main = tmp_path / "whole.cu"
    main.write_text('#include "part.cuh"\n__global__ void whole(const float* x, float* y) { y[0] = part(x, 4); }\n')
    x = np.zeros(4, np.float32)
    report = cuda.check(cuda.compile(main, "whole", backend="host"), 1, 1, (x, np.zeros(1, np.float32)))
    (finding,) = report.findings
    assert (finding.place.file, finding.line) == (str(tmp_path / "part.cuh"), 3)
