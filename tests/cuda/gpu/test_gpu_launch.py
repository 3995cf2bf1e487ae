"""The launch on a GPU, up to the driver's door: a driver that only takes notes stands in for the real one."""

import ctypes
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from course_lib import cuda
from course_lib.cuda.calling.arguments import Binder
from course_lib.cuda.calling.arrays import Array
from course_lib.cuda.calling.bound_launch import BoundLaunch
from course_lib.cuda.gpu import gpu_kernel
from course_lib.cuda.gpu.gpu_launch import Parameters
from course_lib.cuda.reading.kernel_text import read_kernel
from tests.cuda.nvrtc_here import needs_nvrtc

SOURCE = """
struct Shape { int rows; double scale; char tag; };
__global__ void k(float* x, Shape s, short n, half h, unsigned char b, double d, const float* y, long long m) {}
"""

KERNEL = read_kernel("__global__ void k(float* x, int n) { extern __shared__ float s[]; s[0] = n; x[0] = s[0]; }", "k")


def passed(address, sizes):
    """What the driver would read: the bytes behind each pointer."""
    pointers = (ctypes.c_void_p * len(sizes)).from_address(address)
    return [ctypes.string_at(pointer, size) for pointer, size in zip(pointers, sizes, strict=True)]


def test_every_value_lies_behind_its_pointer():
    binder = Binder(read_kernel(SOURCE, "k").signature)
    x = np.zeros(3, np.float32)
    shape = struct.pack("i4xdc7x", 3, 0.5, b"t")
    parameters = Parameters()
    for n, d in ((-2, 1.5), (7, -0.25)):
        bound = binder((x, shape, n, 0.5, 200, d, None, 2**40))
        values = passed(parameters.pack(bound), [8, 24, 2, 2, 1, 8, 8, 8])
        expected = [x.ctypes.data.to_bytes(8, "little"), shape, struct.pack("h", n), np.float16(0.5).tobytes(), b"\xc8"]
        assert values == [*expected, struct.pack("d", d), bytes(8), (2**40).to_bytes(8, "little")]
        assert [argument.data for argument in bound] == values


def test_every_parameter_is_aligned_for_any_type():
    kernel = read_kernel("__global__ void k(bool a, double b, bool c, long d)", "k")
    bound = Binder(kernel.signature)((True, 1.0, False, 3))
    parameters = Parameters()
    address = parameters.pack(bound)
    pointers = (ctypes.c_void_p * 4).from_address(address)
    assert {(pointer - pointers[0]) % 16 for pointer in pointers} == {0}


def test_a_kernel_without_parameters():
    parameters = Parameters()
    assert parameters.pack([]) != 0


class NotesOnly:
    """As much of CuPy as a launch asks for; `launches` and `allowed` are what it was asked."""

    class CUDADriverError(RuntimeError):
        pass

    def __init__(self, capability="90", current=0, refuses=None):
        self.launches, self.allowed, self.entered = [], [], []
        self.current = current
        self.refuses = refuses
        notes = self

        class Device:
            compute_capability = capability

            def __init__(self, number):
                self.number = number

            def __enter__(self):
                notes.entered.append(self.number)

            def __exit__(self, *error):
                return False

        class Function:
            shared_size_bytes = 1024
            kernel = SimpleNamespace(ptr=4711)

            def __setattr__(self, name, value):
                if notes.refuses == name:
                    raise NotesOnly.CUDADriverError("refused")
                notes.allowed.append((name, value))

        self.RawModule = lambda path: SimpleNamespace(path=path, get_function=lambda symbol: Function())
        driver = SimpleNamespace(launchKernel=self.launch, CUDADriverError=self.CUDADriverError)
        stream = SimpleNamespace(ptr=99)
        self.cuda = SimpleNamespace(
            Device=Device,
            driver=driver,
            runtime=SimpleNamespace(getDevice=lambda: self.current),
            get_current_stream=lambda: stream,
        )

    def launch(self, function, *numbers):
        if self.refuses == "launch":
            raise self.CUDADriverError("CUDA_ERROR_INVALID_VALUE")
        *sizes, shared, stream, parameters, extra = numbers
        self.launches.append((function, tuple(sizes), shared, stream, parameters, extra))


def on_gpu(array, device=0, library="cupy"):
    return Array(array, library, array.dtype.name, array.itemsize, device, array.ctypes.data)


@pytest.fixture
def launched(monkeypatch):
    """Makes a kernel on a driver that takes notes; `launched(**driver)` returns (kernel, notes)."""

    def make(**how):
        notes = NotesOnly(**how)
        monkeypatch.setattr(gpu_kernel, "_cupy", lambda: notes)
        return gpu_kernel.GpuKernel(KERNEL), notes

    return make


def bound_for(arguments, device=0, library="cupy"):
    bound = Binder(KERNEL.signature)(arguments)
    bound[0].array = on_gpu(arguments[0], device, library)
    return bound


def launch(arguments, grid=(1, 1, 1), block=(1, 1, 1), shared_mem=0):
    return BoundLaunch(KERNEL, grid, block, arguments, shared_mem)


@needs_nvrtc
class TestLaunch:
    x = np.zeros(4, np.float32)

    def test_it_reaches_the_driver(self, launched):
        kernel, notes = launched()
        kernel.run(launch(bound_for((self.x, 5)), (2, 3, 1), (32, 1, 1)))
        ((function, sizes, shared, stream, parameters, extra),) = notes.launches
        assert (function, sizes, shared, stream, extra) == (4711, (2, 3, 1, 32, 1, 1), 0, 99, 0)
        address, n = passed(parameters, [8, 4])
        assert int.from_bytes(address, "little") == self.x.ctypes.data
        assert int.from_bytes(n, "little") == 5

    def test_the_cubin_is_for_the_device(self, launched):
        from course_lib.cuda.gpu import nvrtc

        for capability, arch in (("75", "sm_75"), ("90", "sm_90a")):
            kernel, _ = launched(capability=capability)
            assert kernel._cubin.path == nvrtc.compile_cubin(KERNEL, arch).path

    def test_more_shared_memory_is_asked_for_once(self, launched):
        kernel, notes = launched()
        for shared in (0, 47 * 1024, 48 * 1024, 100 * 1024, 60 * 1024, 100 * 1024, 200 * 1024):
            kernel.run(launch(bound_for((self.x, 5)), shared_mem=shared))
        # 1 KB of the 48 that need no asking is static
        sizes = [48 * 1024, 100 * 1024, 200 * 1024]
        assert notes.allowed == [("max_dynamic_shared_size_bytes", size) for size in sizes]
        assert [launch[2] for launch in notes.launches][-1] == 200 * 1024

    def test_another_device_is_entered(self, launched):
        kernel, notes = launched(current=0)
        before = len(notes.entered)
        kernel.run(launch(bound_for((self.x, 5), device=2)))
        assert 2 in notes.entered[before:]

    def test_what_the_driver_refuses_is_an_error(self, launched):
        kernel, _ = launched(refuses="launch")
        with pytest.raises(cuda.LaunchError, match=r"the driver refused grid \(1, 1, 1\), block \(1, 1, 1\)"):
            kernel.run(launch(bound_for((self.x, 5))))
        kernel, _ = launched(refuses="max_dynamic_shared_size_bytes")
        with pytest.raises(cuda.LaunchError, match="does not give a block 204800 bytes"):
            kernel.run(launch(bound_for((self.x, 5)), shared_mem=200 * 1024))

    def test_arrays_that_the_gpu_cannot_reach(self, launched):
        kernel, _ = launched()
        bound = Binder(KERNEL.signature)((self.x, 5))
        with pytest.raises(cuda.ArgumentError, match=r"`float\* x` got a float32 numpy array of shape \(4,\)"):
            kernel.run(launch(bound))

    def test_arrays_on_two_devices(self, launched):
        kernel, _ = launched()
        bound = bound_for((self.x, 5)) + bound_for((self.x, 5), device=1)
        with pytest.raises(cuda.ArgumentError, match="lie on GPUs 0 and 1"):
            kernel.run(launch(bound))

    def test_torchs_stream_is_taken_for_tensors(self, launched, monkeypatch):
        torch = pytest.importorskip("torch")
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=1000 + device))
        kernel, notes = launched()
        kernel.run(launch(bound_for((self.x, 5), library="torch")))
        kernel.run(launch(bound_for((self.x, 5), library="cupy")))
        assert [launch[3] for launch in notes.launches] == [1000, 99]
