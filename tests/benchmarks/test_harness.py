from __future__ import annotations

import json
import math

import pytest
import torch

from benchmarks.harness import (
    Case,
    Contender,
    Family,
    Prediction,
    Unavailable,
    WrongResult,
    limits,
    machine,
    run,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def known_limits(monkeypatch):
    monkeypatch.setattr(limits, "bandwidth", lambda device: 1e9)
    monkeypatch.setattr(limits, "peak", lambda device, arithmetic: 1e9)


def case(name="doubled", **changes):
    facts = {
        "parameters": {"n": 1000},
        "make": lambda seed: torch.full((1000,), 1.0 + seed),
        "oracle": lambda x: 2 * x.double(),
        "bytes": 8000,
        "operations": 1000,
        "arithmetic": "float32",
        "tolerance": 1e-6,
    }
    return Case(name=name, **{**facts, **changes})


def refuses(inputs):
    raise Unavailable("not for this dtype")


OURS = Contender("ours", lambda x: lambda: x * 2, ours=True)
PEERS = [
    Contender("adds", lambda x: lambda: x + x),
    Contender("wrong", lambda x: lambda: x * 3),
    Contender("NaN", lambda x: lambda: x * math.nan),
    Contender("refuses", refuses),
    Contender("fails", lambda x: lambda: 1 / 0),
]


def family(contenders, predictions=(), **changes):
    def cases(device, quick):
        return [case(**changes)]

    return Family("toy", cases, cases, lambda device, each: contenders, predictions)


def measured(tmp_path, contenders, predictions=(), **changes):
    run(
        family(contenders, predictions, **changes),
        ["--device", "cpu", "--quick", "--output", str(tmp_path / "toy.json")],
    )
    return json.loads((tmp_path / "toy.json").read_text())


def test_result_file_holds_all_that_a_number_needs(tmp_path, capsys):
    document = measured(tmp_path, [OURS, *PEERS])
    assert {"device", "processor", "versions", "python", "threads"} <= document["machine"].keys()
    assert document["bytes_per_second"] == 1e9
    rows = {row["contender"]: row for row in document["rows"]}
    ours, adds = rows["ours"], rows["adds"]
    assert ours["seconds"]["low"] <= ours["seconds"]["median"] <= ours["seconds"]["high"]
    assert ours["seconds"]["samples"] == 7
    assert ours["limit_seconds"] == 8e-6
    assert ours["fraction_of_limit"] == pytest.approx(8e-6 / ours["seconds"]["median"])
    assert ours["ratio_to_best_peer"] == pytest.approx(adds["seconds"]["median"] / ours["seconds"]["median"])
    assert adds["ratio_to_best_peer"] == 1
    printed = capsys.readouterr().out
    assert "* ours" in printed
    assert "Unavailable: not for this dtype" in printed


def test_peers_that_are_wrong_or_fail_are_named_and_not_timed(tmp_path):
    rows = {row["contender"]: row for row in measured(tmp_path, [OURS, *PEERS])["rows"]}
    assert rows["wrong"]["relative_error"] == pytest.approx(0.5)
    assert rows["NaN"]["relative_error"] == "nan"
    assert rows["refuses"]["unavailable"] == "Unavailable: not for this dtype"
    assert rows["fails"]["unavailable"] == "ZeroDivisionError: division by zero"
    assert all("seconds" not in rows[name] for name in ("wrong", "NaN", "refuses", "fails"))


@pytest.mark.parametrize("factor", [3.0, 2.001, math.nan])
def test_a_wrong_result_of_ours_stops_the_run(tmp_path, factor):
    wrong = Contender("ours", lambda x: lambda: x * factor, ours=True)
    with pytest.raises(WrongResult, match="ours on doubled: relative error"):
        measured(tmp_path, [wrong, *PEERS])
    assert not (tmp_path / "toy.json").exists()


def test_an_error_of_ours_is_not_swallowed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        measured(tmp_path, [Contender("ours", lambda x: lambda: 1 / 0, ours=True)])


def test_predictions_are_compared(tmp_path):
    def never(medians):
        return medians["doubled", "not run"]

    predictions = [
        Prediction("always", lambda medians: 5.0, low=4, high=6),
        Prediction("too low", lambda medians: 5.0, low=6),
        Prediction("left out", never),
    ]
    compared = measured(tmp_path, [OURS], predictions)["predictions"]
    assert [(each["claim"], each["verdict"]) for each in compared] == [("always", "held"), ("too low", "did not hold")]


def test_operations_can_be_the_limit(tmp_path):
    row = measured(tmp_path, [OURS], operations=10**6)["rows"][0]
    assert row["limit_seconds"] == 1e-3


def test_file_names_say_the_device(monkeypatch):
    monkeypatch.setattr(machine, "device_name", lambda device: "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz")
    assert machine.device_slug(CPU) == "cpu-intel-core-i7-8650u"
    monkeypatch.setattr(machine, "device_name", lambda device: "NVIDIA H200")
    assert machine.device_slug(torch.device("cuda")) == "nvidia-h200"


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--samples", "1"], "--samples must be 2"), (["--device", "tpu"], "invalid choice")]
)
def test_arguments_that_make_no_sense(arguments, words, capsys):
    with pytest.raises(SystemExit):
        run(family([OURS]), arguments)
    assert words in capsys.readouterr().err


def test_only_selects_cases_and_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.harness.command.RESULTS", tmp_path)
    assert run(family([OURS]), ["--device", "cpu", "--only", "nothing", "--samples", "2"])["rows"] == []
    assert len(run(family([OURS]), ["--device", "cpu", "--only", "doub", "--samples", "2"])["rows"]) == 1
    assert list(tmp_path.iterdir()) == []
    run(family([OURS]), ["--device", "cpu", "--samples", "2"])
    assert [path.name.startswith("toy-cpu") for path in tmp_path.iterdir()] == [True]
