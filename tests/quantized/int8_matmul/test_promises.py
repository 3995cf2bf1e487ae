"""tests/rooms compiles what the `expect` lines name; here, that they name what makes this kernel fast."""

from __future__ import annotations

from course_lib.cuda.gpu.expectations import ARCHITECTURES, expectations
from course_lib.quantized.int8_matmul.launch import HERE


def test_the_tensor_core_kernel_is_expected_to_use_its_instructions():
    wanted = {arch: set(each.ptx) for each in expectations(HERE / "mma.cu") for arch in each.architectures}
    modern = {"mma.sync.aligned.m16n8k32", "ldmatrix", "cp.async.cg"}
    assert wanted == {"sm_75": {"mma.sync.aligned.m8n8k16", "ldmatrix"}} | {arch: modern for arch in ARCHITECTURES[1:]}
