"""The `expect` lines leave no architecture out; tests/cuda/gpu/test_expectations.py compiles what they name."""

from __future__ import annotations

from pathlib import Path

from course_lib.cuda.gpu.expectations import ARCHITECTURES, expectations
from course_lib.quantized.int8_matmul import KERNELS, op


def test_every_kernel_has_expectations_for_every_architecture():
    files = sorted(Path(op.__file__).parent.glob("*.cu"))
    covered = {(each.path.stem, arch) for file in files for each in expectations(file) for arch in each.architectures}
    assert covered == {(name, arch) for name in KERNELS.values() for arch in ARCHITECTURES}


def test_the_tensor_core_kernel_is_expected_to_use_its_instructions():
    file = Path(op.__file__).with_name("mma.cu")
    wanted = {arch: set(each.ptx) for each in expectations(file) for arch in each.architectures}
    modern = {"mma.sync.aligned.m16n8k32", "ldmatrix", "cp.async.cg"}
    assert wanted == {"sm_75": {"mma.sync.aligned.m8n8k16", "ldmatrix"}} | {arch: modern for arch in ARCHITECTURES[1:]}
