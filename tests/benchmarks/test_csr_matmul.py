from __future__ import annotations

import collections

import pytest
import torch

from benchmarks.csr_matmul import PREDICTIONS, case, cases, checks, contenders
from benchmarks.harness.correctness import check
from course_lib.measure.ceilings import ARITHMETICS

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_every_cpu_contender_is_right_where_it_runs():
    for problem in checks(CPU, False):
        inputs = problem.make(0)
        oracle = problem.oracle(inputs)
        for contender in contenders(CPU, problem):
            verdict = check(problem, contender, inputs, oracle)
            assert verdict.usable or "unavailable" in verdict, verdict


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_cases_are_named_once_and_their_arithmetic_is_known(device, quick):
    named = collections.Counter(each.name for each in cases(device, quick))
    assert set(named.values()) == {1}
    assert {each.arithmetic for each in cases(device, quick)} <= ARITHMETICS.keys()


def test_predictions_speak_of_cases_and_contenders_that_are_measured():
    problems = cases(GPU, False)
    medians = {(each.name, one.name): 1.0 for each in problems for one in contenders(GPU, each)}
    for prediction in PREDICTIONS:
        assert prediction.ratio(medians) == 1.0
        assert prediction.low < prediction.high


def test_least_bytes_and_operations():
    problem = case(CPU, 100, 200, 30, 0.9, torch.float16)
    nnz = 2000
    assert problem.operations == 2 * nnz * 30
    assert problem.bytes == nnz * (2 + 2) + 101 * 4 + 2 * 30 * (100 + 200)
    assert case(CPU, 100, 40000, 30, 0.9, torch.float32).bytes == 400_000 * (4 + 4) + 101 * 4 + 4 * 30 * 40100
