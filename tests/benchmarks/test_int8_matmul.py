from __future__ import annotations

import collections

import pytest
import torch

from benchmarks.harness import Unavailable
from benchmarks.harness.correctness import check
from benchmarks.int8_matmul import NAIVE_AT_MOST, PREDICTIONS, TOLERANCE, case, cases, contenders
from course_lib.measure.ceilings import ARITHMETICS

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("out_dtype", TOLERANCE, ids=str)
def test_every_cpu_contender_is_right(out_dtype):
    problem = case(CPU, 33, 65, 100, out_dtype)
    inputs = problem.make(0)
    oracle = problem.oracle(inputs)
    checked = [one for one in contenders(CPU, problem) if not one.name.endswith("compiled")]  # takes ten seconds
    assert len(checked) >= 2
    for contender in checked:
        verdict = check(problem, contender, inputs, oracle)
        assert verdict.usable, verdict


def test_int8_outputs_fill_their_range_and_some_saturate():
    problem = case(CPU, 128, 128, 512, torch.int8)
    codes = problem.oracle(problem.make(0))
    assert 20 < codes.std() < 45
    assert 0 < (codes.abs() >= 127).double().mean() < 0.05


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_cases_are_named_once_and_their_arithmetic_is_known(device, quick):
    named = collections.Counter(each.name for each in cases(device, quick))
    assert set(named.values()) == {1}
    assert {each.arithmetic for each in cases(device, quick)} <= ARITHMETICS.keys()


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=lambda prediction: prediction.claim)
def test_predictions_speak_of_cases_and_contenders_that_are_measured(prediction):
    device = CPU if "CPU" in prediction.claim else GPU
    problems = cases(device, False)
    medians = {(each.name, one.name): 1.0 for each in problems for one in contenders(device, each)}
    assert prediction.ratio(medians) == 1.0
    assert prediction.low < prediction.high


def test_predictions_about_the_first_version_lie_where_it_is_timed():
    assert 2 * 2048**3 <= NAIVE_AT_MOST < 2 * 4096**3
    large = case(CPU, 1, 1, 1, torch.int32).make(0)
    object.__setattr__(large, "a", torch.empty(2049, 2048, dtype=torch.int8, device="meta"))
    object.__setattr__(large, "w", torch.empty(2048, 2048, dtype=torch.int8, device="meta"))
    naive = next(one for one in contenders(GPU, case(CPU, 1, 1, 1, torch.int32)) if one.name == "1 naive")
    with pytest.raises(Unavailable):
        naive.prepare(large)


def test_least_bytes_and_operations():
    problem = case(CPU, 100, 30, 200, torch.bfloat16)
    assert problem.operations == 2 * 100 * 30 * 200
    assert problem.bytes == 100 * 200 + 30 * 200 + 2 * 100 * 30
