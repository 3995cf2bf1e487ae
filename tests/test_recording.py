from __future__ import annotations

import json
import math
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from course_lib.recording import METRIC_MIME, describe, in_band, record


def metric(value, low=None, high=None):
    return {"name": "m", "value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("low", "high", "band"),
    [
        (None, None, ""),
        (0.5, None, " (expected at least 0.5)"),
        (None, 2, " (expected at most 2)"),
        (0.5, 2, " (expected 0.5 to 2)"),
    ],
)
def test_printed_line(capsys, low, high, band):
    record("accuracy", 0.93456, low=low, high=high)
    assert capsys.readouterr().out == f"accuracy = 0.9346{band}\n"


@pytest.mark.parametrize(
    "value", [torch.tensor(2.5), torch.tensor([2.5]), np.float32(2.5), np.array(2.5), np.array([2.5]), 2.5, True]
)
def test_takes_one_number_of_any_kind(capsys, value):
    record("m", value)
    assert capsys.readouterr().out == ("m = 1\n" if value is True else "m = 2.5\n")


@pytest.mark.parametrize("value", ["high", None, torch.zeros(2), np.zeros(3), [1.0]])
def test_refuses_what_is_not_one_number(value):
    with pytest.raises(ValueError, match="record\\('m'\\) takes one number"):
        record("m", value)


@pytest.mark.parametrize(
    ("value", "written"),
    [(11_689_512, "11,689,512"), (-3.0, "-3"), (0.0, "0"), (1234.5678, "1235"), (2e20, "2e+20"), (1 / 3, "0.3333")],
)
def test_whole_numbers_are_written_in_full(capsys, value, written):
    record("m", value, low=value)
    assert capsys.readouterr().out == f"m = {written} (expected at least {written})\n"


def test_band_may_be_of_numpy_numbers(monkeypatch):
    shown = []
    monkeypatch.setattr("course_lib.recording._display", shown.append)
    record("m", 1, low=np.float32(0.5), high=np.int64(2))
    assert json.loads(json.dumps(shown[0][METRIC_MIME])) == metric(1.0, 0.5, 2.0)


@pytest.mark.parametrize("remark", ["", "this machine is busy: other programs took 48% of its processor time"])
def test_a_timed_metric_says_so_and_what_was_in_the_way(monkeypatch, remark):
    shown = []
    monkeypatch.setattr("course_lib.recording._display", shown.append)
    record("ratio", 0.7, low=0.9, timed=SimpleNamespace(remark=remark))
    record("ratio", 0.7, timed=True)
    assert [bundle[METRIC_MIME]["timed"] for bundle in shown] == [True, True]
    assert shown[0]["text/plain"] == "ratio = 0.7 (expected at least 0.9)" + (f"; {remark}" if remark else "")
    assert shown[1]["text/plain"] == "ratio = 0.7"
    record("counted", 7)
    assert "timed" not in shown[2][METRIC_MIME]


def test_refuses_an_empty_band():
    with pytest.raises(ValueError, match="band is empty"):
        record("m", 1, low=2, high=1)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(-10, 10), st.floats(0, 10))
def test_band(value, low, width):
    stored = metric(value if math.isfinite(value) else None, low, low + width)
    assert in_band(stored) == (math.isfinite(value) and low <= value <= low + width)


def test_band_without_sides():
    assert in_band(metric(1e9)) and in_band(metric(1, low=1)) and in_band(metric(1, high=1))
    assert not in_band(metric(None)) and not in_band(metric(0.9, low=1)) and not in_band(metric(1.1, high=1))


def test_not_a_number_is_described_and_is_valid_json():
    assert "not finite" in describe(metric(None, 0, 1))


def test_an_executed_notebook_carries_its_metrics():
    code = "from course_lib import record\nrecord('a', 1.5, low=1, high=2)\nrecord('b', float('nan'))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    outputs = [output.data for output in notebook.cells[0].outputs]
    assert [dict(data[METRIC_MIME]) for data in outputs] == [
        {"name": "a", "value": 1.5, "low": 1, "high": 2},
        {"name": "b", "value": None, "low": None, "high": None},
    ]
    assert outputs[0]["text/plain"] == "a = 1.5 (expected 1 to 2)"
    nbformat.validate(notebook)
