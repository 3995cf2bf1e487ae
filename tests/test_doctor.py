"""`course doctor` finds what is there, says what a lack means, and breaks on nothing."""

from __future__ import annotations

import builtins
import json
import shutil
import sys

import pytest

from course_lib import cli, doctor, machine, native
from course_lib.doctor import Finding

NAMES = {
    "Python", "torch", "torchvision", "scikit-learn", "matplotlib", "Jupyter", "processor", "vector units",
    "C++ compiler", "GPU", "CuPy", "sandbox",
    "grading", "Chromium",
}  # fmt: skip


@pytest.fixture
def without(monkeypatch):
    """without("torch"): importing it fails as if it were not installed."""

    def hide(*modules):
        real = builtins.__import__

        def refuse(name, *arguments, **options):
            if name.partition(".")[0] in modules:
                raise ImportError(f"No module named {name!r}")
            return real(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", refuse)
        monkeypatch.setattr(
            doctor.importlib, "import_module", lambda name: refuse(name) if name in modules else sys.modules[name]
        )

    return hide


def test_this_environment_is_usable():
    findings = doctor.examine()
    assert {found.name for found in findings} == NAMES
    assert doctor.is_usable(findings)
    assert all(found.meaning for found in findings if found.state != "ok")
    assert all(found.detail for found in findings)


def test_the_command_prints_json_and_a_table(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["usable"] is True
    assert {found["name"] for found in report["findings"]} == NAMES
    assert cli.main(["doctor"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in NAMES)


def test_no_compiler(monkeypatch):
    monkeypatch.setattr(native, "find_compiler", lambda language="c": None)
    found = doctor._compiler()
    assert found.state == "missing"
    assert "Students" in found.meaning
    assert "ziglang" in found.meaning


def test_no_sandbox_or_browser(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda command, **options: None)
    assert (doctor._sandbox().state, doctor._chromium().state) == ("missing", "missing")
    assert "Staff" in doctor._sandbox().meaning


def test_a_sandbox_that_is_there_but_forbidden(monkeypatch):
    refused = machine.run(sys.executable, "-c", "import sys; sys.exit('bwrap: No permissions to create new namespace')")
    monkeypatch.setattr(shutil, "which", lambda command, **options: f"/usr/bin/{command}")
    monkeypatch.setattr(machine, "run", lambda *command: refused)
    found = doctor._sandbox()
    assert found.state == "missing"
    assert "No permissions" in found.detail


def test_without_torch_the_course_cannot_run_and_the_rest_is_still_examined(without, capsys):
    doctor.examine()  # everything else is imported
    without("torch")
    findings = {found.name: found for found in doctor.examine()}
    assert findings.keys() == NAMES
    assert findings["torch"].state == "required"
    assert "make lab" in findings["torch"].meaning
    assert findings["GPU"].state == "missing"
    assert not doctor.is_usable(list(findings.values()))
    assert cli.main(["doctor"]) == 1
    assert "cannot run here without: torch" in capsys.readouterr().out


def test_without_cupy_nothing_is_required(without):
    without("cupy")
    assert doctor._cupy().state == "missing"
    assert doctor.is_usable([doctor._cupy()])


def test_a_driver_that_torch_does_not_use(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "driver_version", lambda: "580.65.06")
    found = doctor._gpu()
    assert "580.65.06" in found.detail
    assert "TORCH_INDEX" in found.meaning


def test_an_absent_part_of_jupyter_is_named(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "ipywidgets" else real(name))
    assert doctor._jupyter() == Finding("Jupyter", "required", "no ipywidgets", doctor._jupyter().meaning)
