"""The ceilings hold: over fresh processes, beside a busy program, and above everything that can be measured."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import measure
from course_lib.measure import Ceilings
from course_lib.measure.ceilings import ARITHMETICS, peak, reading_rates
from course_lib.measure.sampler import Sampler, cache_bytes, fastest

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
positive = st.floats(1e-3, 1e15)


@given(positive, positive, positive)
def test_attainable_is_the_lower_of_the_two_ceilings(macs, bandwidth, intensity):
    machine = Ceilings(macs, bandwidth)
    assert machine.attainable(intensity) == min(macs, bandwidth * intensity)
    assert machine.attainable(machine.ridge) == pytest.approx(macs)
    assert machine.attainable(2 * machine.ridge) == macs


@pytest.mark.parametrize("rates", [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_ceilings_are_above_zero(rates):
    with pytest.raises(ValueError, match="ceilings are above 0"):
        Ceilings(*rates)


def test_they_read_with_their_units():
    assert repr(Ceilings(2e11, 5e10, "a machine", 1.5e11)) == (
        "200 GMAC/s, 50 GB/s from memory, 150 GB/s from the cache on a machine, ridge at 4 MACs per byte"
    )
    assert "cache" not in repr(Ceilings(1, 1))


def test_measured_once_and_without_a_trace():
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = measure.ceilings()
    assert measure.ceilings("cpu") is found
    assert found.device == f"cpu, {threads} thread" + "s" * (threads > 1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_unknown_arithmetic_is_refused():
    with pytest.raises(ValueError, match=r"arithmetic is one of float32, .*, not 'float3'"):
        peak(CPU, "float3")


def test_each_thread_count_is_tried_and_scaled(monkeypatch):
    """Beside another program all threads together are slow; the others' rate counts then, scaled up to all."""
    module = sys.modules["course_lib.measure.ceilings"]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    used = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    seconds = iter([[8.0] * 9, [1.0] * 9])
    monkeypatch.setattr(module, "fastest", lambda samplers: next(seconds)[: len(samplers)])
    monkeypatch.setattr(module, "_SIDES", {"cpu": (10, 20)})
    monkeypatch.setattr(module, "_MAPS", {"cpu": ((1, 4, 5),)})
    assert peak(CPU) == pytest.approx(20**3 * 4 / 3)
    assert used == [3, 4]


FRESH = """
import torch
from course_lib import measure
found = measure.ceilings()
print(found.macs_per_second, found.bytes_per_second, found.cached_bytes_per_second)
"""


def in_fresh_processes(times):
    for _ in range(times):
        yield [float(word) for word in subprocess.check_output([sys.executable, "-c", FRESH], cwd=ROOT).split()]


@pytest.fixture
def busy_core():
    """Another program that would keep one core busy by itself."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    other.kill()
    other.wait()


def test_fresh_processes_agree_beside_a_busy_program(busy_core):
    """Within a factor: what programs of other users do to the memory of a shared computer cannot be kept out."""
    spreads = []
    for _ in range(5):  # measured again before it counts
        runs = list(in_fresh_processes(5))
        spreads.append([max(rates) / min(rates) for rates in zip(*runs, strict=True)])
        if max(spreads[-1]) < 1.8:
            return
    pytest.fail(f"arithmetic, memory and cache differ by these factors over five processes: {spreads}")


def readers(size):
    """Products that read known bytes once, from arrays of `size` bytes: how many bytes, and the call."""
    matrix = torch.rand(size // 4096, 1024)
    tall, vector = torch.rand(1024, size // 4096), torch.rand(1024)
    few = torch.rand(3, 1024)
    weights = torch.nn.Linear(1024, size // 4096, bias=False)
    return {
        "matrix times vector": (size, lambda: matrix @ vector),
        "vector times matrix": (size, lambda: vector @ tall),
        "three rows": (size, lambda: few @ tall),
        "dot product": (2 * size, lambda: torch.dot(matrix.view(-1), tall.view(-1))),
        "layer of one sample": (size, lambda: weights(vector)),
        "sums of rows": (size, lambda: matrix.sum(1)),
    }


def test_no_product_reads_faster_than_the_roof():
    products = readers(max(8 * cache_bytes(CPU), 1 << 28))
    highest = {}
    with torch.inference_mode():
        for _ in range(3):  # measured again before it counts, roof and products
            roof, _ = reading_rates(CPU)
            samplers = [Sampler(CPU, [call]) for _, call in products.values()]
            rates = [size / each for (size, _), each in zip(products.values(), fastest(samplers), strict=True)]
            highest = {name: rate / roof for name, rate in zip(products, rates, strict=True)}
            if max(highest.values()) < 1.15:
                return
    pytest.fail(f"read faster than the memory's roof: {highest}")


def test_the_cache_reads_faster_than_memory():
    assert any(warm > cold for cold, warm in (reading_rates(CPU) for _ in range(3)))


def test_no_product_or_convolution_is_faster_than_the_roof():
    x, image = torch.rand(700, 700), torch.rand(1, 96, 40, 40)
    conv = torch.nn.Conv2d(96, 96, 3, padding=1, bias=False)
    work = [(700**3, lambda: x @ x), (96 * 96 * 9 * 1600, lambda: conv(image))]
    highest = []
    with torch.inference_mode():
        for _ in range(3):
            roof = peak(CPU)
            seconds = fastest([Sampler(CPU, [call]) for _, call in work])
            highest = [macs / each / roof for (macs, _), each in zip(work, seconds, strict=True)]
            if max(highest) < 1.15:
                return
    pytest.fail(f"faster than the arithmetic's roof: {highest}")


def test_every_arithmetic_can_be_asked_for(monkeypatch):
    module = sys.modules["course_lib.measure.ceilings"]
    monkeypatch.setattr(module, "_SIDES", {"cpu": (64,)})
    for name in ARITHMETICS:
        assert peak(CPU, name) > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_reads_no_faster_than_its_roof():
    roof = measure.ceilings("cuda")
    assert roof.cached_bytes_per_second > roof.bytes_per_second
    x, y = (torch.ones(1 << 28, device="cuda") for _ in range(2))
    [largest, product] = fastest([Sampler(x.device, [x.max]), Sampler(x.device, [lambda: torch.dot(x, y)])])
    assert max(x.nbytes / largest, 2 * x.nbytes / product) < 1.15 * roof.bytes_per_second
