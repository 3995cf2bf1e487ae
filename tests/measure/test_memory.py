"""Peaks against sums of the tensors that are known to be alive; float32 numbers take 4 bytes."""

import gc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from tests.examples import examples

KILO = 250  # float32 numbers in 1000 bytes


def peak(call, **options):
    return measure.peak_memory(call, **options).bytes


def test_tensors_alive_at_once_add_up_and_freed_ones_do_not():
    def call():
        a = torch.zeros(3 * KILO)
        b = torch.zeros(2 * KILO)
        del a
        c = torch.zeros(4 * KILO)
        del b, c
        return torch.zeros(KILO)

    found = measure.peak_memory(call)
    assert (found.bytes, found.kept, found.device) == (6000, 1000, "cpu")
    assert found.history == (3000, 5000, 6000, 1000)


@examples(12)
@given(st.lists(st.tuples(st.sampled_from(["make", "drop"]), st.integers(0, 40)), max_size=30))
def test_any_order_of_making_and_dropping(steps):
    now = highest = 0
    sizes = []
    for what, size in steps:
        if what == "make":
            sizes.append(4 * size)
        elif sizes:
            sizes.pop(size % len(sizes))
        now = sum(sizes)
        highest = max(highest, now)

    def call():
        alive = []
        for what, size in steps:
            if what == "make":
                alive.append(torch.zeros(size))
            elif alive:
                alive.pop(size % len(alive))
        return alive

    found = measure.peak_memory(call)
    assert (found.bytes, found.kept) == (highest, now)


@pytest.mark.parametrize("dtype", [torch.int8, torch.float16, torch.float32, torch.int64, torch.complex128])
def test_each_dtype_by_its_size(dtype):
    assert peak(lambda: torch.zeros(7, 3, dtype=dtype)) == 21 * torch.zeros(1, dtype=dtype).element_size()


def test_an_in_place_operation_needs_nothing():
    def twice(inplace):
        x = torch.zeros(KILO)
        return x.relu_().add_(1).mul_(3) if inplace else x.relu().add(1).mul(3)

    assert peak(lambda: twice(True)) == 1000
    assert peak(lambda: twice(False)) == 3000  # the first, held by its name, beside one argument and one result


def test_views_share_and_keep_the_whole_alive():
    def call():
        x = torch.zeros(4, KILO)
        return x.view(-1)[:1], x.T, x[1:2].expand(9, KILO), x.detach(), x.unbind()

    assert measure.peak_memory(call) == measure.PeakMemory(4000, 4000, "cpu", (4000,))


def test_copies_do_not_share():
    assert peak(lambda: torch.zeros(4, KILO).T.contiguous()) == 8000
    assert peak(lambda: torch.zeros(4, KILO).contiguous()) == 4000


def test_what_was_there_before_counts_for_nothing():
    earlier = [torch.zeros(9 * KILO)]

    def call():
        view = earlier[0][:KILO]
        view += 1
        earlier.clear()
        return torch.cat([view, view])

    assert peak(call) == 2000


def test_out_and_resize():
    def call():
        x = torch.empty(0)
        torch.add(torch.zeros(KILO), 1, out=x)
        x.resize_(3 * KILO)
        return x.resize_(2 * KILO)  # torch keeps the larger storage

    found = measure.peak_memory(call)
    assert (found.bytes, found.kept) == (3000, 3000)


def test_garbage_in_a_loop_is_freed_as_it_goes():
    def call():
        for _ in range(10):
            x = torch.zeros(KILO)
        return x

    assert peak(call) == 2000  # the next one is made before the name lets the last one go


def test_garbage_in_cycles_stays_until_it_is_collected():
    def call(collect):
        for _ in range(3):
            cycle = [torch.zeros(KILO)]
            cycle.append(cycle)
            del cycle
            if collect:
                gc.collect()

    assert peak(lambda: call(False)) == 3000
    assert peak(lambda: call(True)) == 1000
    assert gc.isenabled()


def test_numbers_from_lists_count_and_numpys_memory_does_not():
    assert peak(lambda: torch.tensor([1.0, 2.0, 3.0])) == 12
    assert peak(lambda: torch.from_numpy(np.zeros(1000)) + 0) == 8000


def test_autograd_holds_what_the_backward_pass_needs():
    weight = torch.zeros(KILO, requires_grad=True)

    def forward():
        return (weight * 2).exp().exp()  # each exponential saves its result; the product saves nothing large

    def training():
        forward().sum().backward()

    with torch.no_grad():
        assert measure.peak_memory(forward).kept == 1000
    assert measure.peak_memory(forward).kept == 2000
    found = measure.peak_memory(training)
    assert found.kept == weight.grad.nbytes == 1000
    assert found.bytes >= 3000


def test_checkpointing_a_chain_trades_memory_for_time():
    from torch.utils.checkpoint import checkpoint

    layers = nn.Sequential(*[nn.Sequential(nn.Linear(32, 32), *[nn.Tanh(), nn.Linear(32, 32)] * 3) for _ in range(8)])
    layers.requires_grad_(False)
    x = torch.zeros(512, 32, requires_grad=True)

    def run(save):
        y = x
        for layer in layers:
            y = checkpoint(layer, y, use_reentrant=False) if save else layer(y)
        y.sum().backward()

    assert peak(lambda: run(True)) < 0.7 * peak(lambda: run(False))


def test_a_network_by_its_closed_form():
    """ResNet-18 at 224 x 224 peaks in the stem: the convolution's output beside the batch normalisation's."""
    model = models.resnet18().eval()
    x = torch.zeros(1, 3, 224, 224)
    with torch.no_grad():
        found = measure.peak_memory(lambda: model(x))
    assert found.bytes == 2 * 64 * 112 * 112 * 4
    assert found.kept == 1000 * 4


def test_patches_lower_the_peak():
    """What the lab on microcontrollers shows: two layers, whole or in strips of the output."""
    first, second = torch.randn(8, 3, 3, 3), torch.randn(4, 8, 3, 3)
    x = torch.randn(1, 3, 66, 66)

    def whole():
        return F.conv2d(F.conv2d(x, first), second, stride=2)

    def strips():
        out = torch.zeros(1, 4, 31, 31)
        for row in range(0, 31, 8):
            rows = F.conv2d(x[:, :, 2 * row : 2 * row + 19], first)
            out[:, :, row : row + 8] = F.conv2d(rows, second, stride=2)
        return out

    torch.testing.assert_close(whole(), strips(), rtol=1e-4, atol=1e-4)
    assert peak(whole) == 4 * (8 * 64 * 64 + 4 * 31 * 31)
    assert peak(strips) == 4 * (4 * 31 * 31 + 2 * 8 * 17 * 64)  # the strip before is alive beside the new one


def test_sparse_tensors_by_their_parts():
    entries = torch.tensor([[0, 2], [1, 0]])
    values = torch.ones(2)

    def call():
        return torch.sparse_coo_tensor(entries.clone(), values.clone(), (3, 3), check_invariants=False)

    assert measure.peak_memory(call).kept == 4 * 8 + 2 * 4


def test_warm_up_runs_unmeasured():
    kept = []
    assert peak(lambda: kept.append(torch.zeros(KILO)) if len(kept) < 2 else None, warmup=2) == 0
    assert len(kept) == 2
    with pytest.raises(ValueError, match="warmup of 0 or more, not -1"):
        measure.peak_memory(lambda: None, warmup=-1)


def test_a_call_that_fails_leaves_nothing_switched_on():
    with pytest.raises(ZeroDivisionError):
        measure.peak_memory(lambda: torch.zeros(3) / (1 / 0))
    assert gc.isenabled()
    assert peak(lambda: torch.zeros(KILO)) == 1000


def test_on_a_gpu_the_allocator_of_torch_is_asked(monkeypatch):
    """The GPU's numbers count as soon as the call allocates there; what was there before is taken off."""
    in_use = {"now": 5000, "peak": 5000}

    def call(peak, now):
        in_use.update(peak=peak, now=now)

    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda: in_use.update(peak=in_use["now"]))
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda: in_use["now"])
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: in_use["peak"])
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    assert measure.peak_memory(lambda: call(9000, 6000)) == measure.PeakMemory(4000, 1000, "a GPU")
    assert measure.peak_memory(lambda: torch.zeros(KILO)).device == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu():
    torch.zeros(1, device="cuda")
    found = measure.peak_memory(lambda: torch.zeros(1 << 20, device="cuda") + 1)
    assert (found.bytes, found.kept) == (8 << 20, 4 << 20)


def test_reads_with_its_units():
    assert repr(measure.PeakMemory(6422528, 4000, "cpu")) == "6.42 MB at the peak, 4 kB kept, on cpu"
