"""The estimate by hand from the published table; the GPU's meter against a small C library in NVML's place."""

import ctypes
import importlib
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, native
from course_lib.errors import CourseError
from course_lib.measure import energy_table, nvml

PICO = 1e-12


def counts(macs=0, parameters=0, activations=0):
    return measure.Counts(parameters=parameters, macs=macs, activations=activations, layers=())


@pytest.mark.parametrize(
    ("numbers", "picojoules"),
    [("float32", 3.7 + 0.9), ("float16", 1.1 + 0.9), ("int8", 0.2 + 0.1), ("int32", 3.1 + 0.1)],
)
def test_a_multiply_accumulate_by_the_published_table(numbers, picojoules):
    found = measure.energy(counts(macs=1000), numbers=numbers)
    assert found.arithmetic == pytest.approx(1000 * picojoules * PICO)
    assert found.memory == 0


def test_the_table_keeps_the_source_s_well_known_ratios():
    """Horowitz: an 8-bit addition is 30 times cheaper than a float32 one."""
    assert energy_table.ADD["float32"] / energy_table.ADD["int8"] == pytest.approx(30)
    assert energy_table.MULTIPLY["float32"] / energy_table.MULTIPLY["int8"] == pytest.approx(18.5)
    assert energy_table.MEMORY["dram"] / 2 == 650  # 32 bits; Han et al. 2015 give 640 pJ for this
    assert list(energy_table.MEMORY.values()) == sorted(energy_table.MEMORY.values())


@pytest.mark.parametrize(
    ("place", "per_64_bits"),
    [("sram_8kb", 10), ("sram_32kb", 20), ("sram_1mb", 100), ("dram", 1300), ("dram_high", 2600)],
)
@pytest.mark.parametrize(("numbers", "bits"), [("float32", 32), ("int8", 8), ("float16", 16)])
def test_memory_by_the_published_table(place, per_64_bits, numbers, bits):
    cost = counts(parameters=640, activations=64)
    found = measure.energy(cost, numbers=numbers, weights_in=place, activations_in=place)
    assert found.weights == pytest.approx(640 * bits / 64 * per_64_bits * PICO)
    assert found.activations == pytest.approx(2 * 64 * bits / 64 * per_64_bits * PICO)


@given(st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 10**9))
def test_parts_add_up(macs, parameters, activations):
    found = measure.energy(counts(macs, parameters, activations))
    assert found.total == pytest.approx(found.arithmetic + found.weights + found.activations)
    assert found.memory == found.weights + found.activations


def test_a_model_is_counted():
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 5)), torch.zeros(2, 3, 3, 3)
    assert measure.energy(model, x) == measure.energy(measure.count(model, x))
    assert measure.energy(model, x).arithmetic == pytest.approx(2 * (8 * 27 + 40) * 4.6 * PICO)


def test_levels_are_chosen_one_by_one():
    cost = counts(1, 8, 8)
    near, far = (measure.energy(cost, activations_in=place) for place in ("sram_8kb", "dram"))
    assert near.weights == far.weights and near.activations < far.activations


@pytest.mark.parametrize("argument", ["numbers", "weights_in", "activations_in"])
def test_what_the_table_lacks_is_refused(argument):
    with pytest.raises(ValueError, match=rf"{argument} is one of .*, not 'float8'"):
        measure.energy(counts(), **{argument: "float8"})


def test_inputs_beside_counts_are_refused():
    with pytest.raises(TypeError, match="were counted before"):
        measure.energy(counts(), torch.zeros(1))


def test_reads_with_units_and_source():
    text = repr(measure.energy(counts(macs=10**9, parameters=10**6)))
    assert text.startswith("5.25 mJ: 4.6 mJ arithmetic, 650 µJ weights, 0 J activations")
    assert text.endswith("Horowitz, ISSCC 2014 (45 nm, 0.9 V)")


def test_without_a_gpu_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(
        measure.NoEnergyMeter, match=r"torch sees no GPU. `measure.energy\(model, \*inputs\)` estimates"
    ):
        measure.gpu_energy(lambda: None)
    assert issubclass(measure.NoEnergyMeter, CourseError)


def test_without_the_driver_s_library_too(monkeypatch):
    monkeypatch.setattr(nvml, "_LIBRARY", "libnvidia-ml-that-is-not-there.so.1")
    with pytest.raises(measure.NoEnergyMeter, match="a part of NVIDIA's driver, cannot be loaded"):
        nvml.EnergyCounter("GPU-0")


FAKE = """
#include <string.h>
static unsigned long long millijoules = 5000;
static int device_there;
int nvmlInit_v2(void) { return 0; }
const char *nvmlErrorString(int status) { return status == 6 ? "Not Found" : "Not Supported"; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    if (strncmp(uuid, "GPU-", 4)) return 6;
    *device = &device_there;
    return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *value) {
    if (device != &device_there) return 3;
    *value = millijoules += 1500;
    return 0;
}
"""


@pytest.fixture
def library(monkeypatch):
    """NVML as a library of its own, whose counter rises by 1.5 J with every reading."""
    if native.find_compiler() is None:
        pytest.skip("needs a C compiler")
    compiled = native.compile_c(FAKE)
    monkeypatch.setattr(nvml, "ctypes", SimpleNamespace(**{**vars(ctypes), "CDLL": lambda name: compiled}))
    return compiled


def test_the_counter_is_read_in_joules(library):
    counter = nvml.EnergyCounter("GPU-7a")
    first = counter.joules()
    assert counter.joules() - first == 1.5


def test_a_refusal_is_told_in_the_driver_s_words(library):
    with pytest.raises(measure.NoEnergyMeter, match="nvmlDeviceGetHandleByUUID answers 'Not Found'"):
        nvml.EnergyCounter("0")


def test_energy_of_a_call_is_the_difference_shared_by_the_calls(library, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    module = importlib.import_module("course_lib.measure.gpu_energy")
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(module, "current_gpu", lambda: "GPU-7a")

    def call():
        clock.now += 0.25

    found = measure.gpu_energy(call, seconds=1.0, warmup=2)
    assert (found.calls, found.seconds, found.joules) == (4, 0.25, 1.5 / 4)
    assert found.watts == 1.5
    assert repr(found) == "375 mJ and 250 ms per call, 1.5 W (4 calls)"


@pytest.mark.parametrize("arguments", [{"seconds": 0}, {"warmup": -1}])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="gpu_energy needs seconds above 0"):
        measure.gpu_energy(lambda: None, **arguments)


@pytest.mark.parametrize("uuid", ["1a2b", "GPU-1a2b", "MIG-1a2b"])
def test_torch_s_name_of_the_gpu_becomes_nvml_s(monkeypatch, uuid):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: SimpleNamespace(uuid=uuid))
    assert nvml.current_gpu() in (uuid, f"GPU-{uuid}")
    assert nvml.current_gpu()[:4] in ("GPU-", "MIG-")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu():
    x = torch.rand(4096, 4096, device="cuda")
    found = measure.gpu_energy(lambda: x @ x, seconds=1.0)
    assert 10 < found.watts < 2000
