"""Bytes that torch code holds at once, against code whose tensors can be counted by hand."""

import subprocess
import sys

import torch
import torch.nn.functional as F

from course_lib.microcontroller import watch_allocations

KIB = 1024


def watched(call):
    with watch_allocations() as watch:
        call()
    return watch


def test_tensors_alive_together_are_added():
    def three():
        kept = [torch.zeros(256) for _ in range(3)]
        return sum(each.sum() for each in kept)

    assert 3 * KIB <= watched(three).peak <= 3 * KIB + 64
    assert watched(three).largest == KIB


def test_tensors_that_are_gone_are_not():
    def one_after_the_other():
        for _ in range(5):
            torch.zeros(256)

    assert watched(one_after_the_other).peak == KIB


def test_views_and_writing_in_place_take_nothing():
    x = torch.zeros(64, 4)

    def write():
        x[3].add_(1)
        x.T[2].mul_(2).zero_()
        x.reshape(4, 64).copy_(x.view(4, 64))

    assert watched(write).peak == 0


def test_a_list_of_views_keeps_what_it_looks_at():
    def views():
        rows = [torch.zeros(256)[:1] for _ in range(4)]
        return rows[0] + 1

    assert watched(views).peak >= 4 * KIB


def test_results_of_operators_count():
    x, weight = torch.zeros(1, 2, 8, 8), torch.zeros(4, 2, 3, 3)
    assert watched(lambda: F.conv2d(x, weight, padding=1)).peak == 4 * 64 * 4


def test_the_compiler_of_torch_stays_out():
    code = """
import sys, torch
from course_lib.microcontroller import watch_allocations
with watch_allocations(): torch.zeros(3) + 1
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
