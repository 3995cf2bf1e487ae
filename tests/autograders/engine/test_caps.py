"""Caps that bite: what each kind does to a process that wants more than its share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograders.engine.isolation import caps
from autograders.engine.isolation.caps import CgroupV1, CgroupV2, NoCaps, SystemdScope
from autograders.engine.isolation.limits import Limits

LIMITS = Limits(memory=80_000_000, processes=20)
HUNGRY = "x = []\nwhile True: x.append(bytearray(10_000_000))"
FORKING = """
import os, time
count = 0
try:
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        count += 1
except OSError:
    pass
print(count)
"""


@pytest.fixture(params=[CgroupV2, CgroupV1])
def made(request):
    """Caps of one kind of cgroup, where this machine hands them out."""
    try:
        made = request.param(LIMITS)
    except (OSError, KeyError) as error:
        pytest.skip(f"no {request.param.kind} here: {error}")
    yield made
    made.close()


def run(made, program):
    command = made.command([sys.executable, "-S", "-c", program])
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_memory_is_capped_and_said_to_be(made):
    assert not made.ran_out_of_memory()
    assert run(made, HUNGRY).returncode in (-9, 137)
    assert made.ran_out_of_memory()


def test_processes_are_capped(made):
    assert 0 < int(run(made, FORKING).stdout) < LIMITS.processes


def test_a_small_program_runs_and_the_group_goes(made):
    assert run(made, "print('hello')").stdout == "hello\n"
    made.close()
    assert not any(folder.exists() for folder in folders(made))


def folders(made):
    return made.folders.values() if isinstance(made, CgroupV1) else [made.folder]


def test_groups_of_graders_that_are_gone_are_removed(made):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for folder in folders(made):
        stale = folder.parent / f"course-grade-{gone.pid}-0"
        stale.mkdir(exist_ok=True)
    caps.remove_leftovers()
    for folder in folders(made):
        assert not (folder.parent / f"course-grade-{gone.pid}-0").exists()
        assert folder.exists(), "this grader is alive"


def test_without_groups_the_command_is_as_it_was():
    made = NoCaps(LIMITS)
    assert made.command(["a", "b"]) == ["a", "b"] and made.kind == "rlimits" and not made.ran_out_of_memory()


def test_a_systemd_scope_sets_every_limit(tmp_path, monkeypatch):
    """No systemd runs here: a stand-in shows what it is asked for."""
    tool = tmp_path / "systemd-run"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    asked = subprocess.run(SystemdScope(LIMITS).command(["prog", "-x"]), capture_output=True, text=True).stdout
    assert "--user --scope" in asked and asked.strip().endswith("-- prog -x")
    for wanted in ("MemoryMax=80000000", "MemorySwapMax=0", "TasksMax=20", "CPUQuota=100%"):
        assert f"-p {wanted}" in asked


def test_v2_takes_the_groups_it_is_given(tmp_path):
    """The files of a delegated group, played by a folder: the oracle is the kernel's documentation of each name."""
    made = CgroupV2(LIMITS, parent=tmp_path)
    read = {path.name: path.read_text().strip() for path in made.folder.iterdir()}
    assert read["memory.max"] == "80000000" and read["pids.max"] == "20"
    assert read["memory.swap.max"] == "0" and read["cpu.max"] == "100000 100000"
    (made.folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n")
    assert made.ran_out_of_memory()
    (made.folder / "cgroup.procs").touch()
    done = subprocess.run(made.command(["sh", "-c", "echo $$"]), capture_output=True, text=True)
    assert (made.folder / "cgroup.procs").read_text() == done.stdout, "the shell enters, then becomes the command"


def test_v2_leaves_no_group_where_a_limit_is_refused(tmp_path, monkeypatch):
    def refuse(path, value):
        raise OSError(f"{path.name} is refused")

    monkeypatch.setattr(caps, "_write", refuse)
    with pytest.raises(OSError, match=r"memory.max is refused"):
        CgroupV2(LIMITS, parent=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="no /proc")
def test_the_best_kind_that_works_is_taken(monkeypatch):
    caps._best_kind.cache_clear()
    made = caps.best_caps(LIMITS)
    try:
        assert made.kind in ("cgroup v2", "cgroup v1", "systemd scope", "rlimits")
        assert subprocess.run(made.command(["true"]), timeout=300).returncode == 0
    finally:
        made.close()
    monkeypatch.setattr(caps, "_works", lambda kind: False)
    caps._best_kind.cache_clear()
    assert caps.best_caps(LIMITS).kind == "rlimits"
    caps._best_kind.cache_clear()


def test_removing_waits_for_the_last_process(made):
    sleeper = subprocess.Popen(made.command(["sleep", "0.4"]))
    started = time.monotonic()
    made.close()
    sleeper.wait()
    made.close()
    assert time.monotonic() - started < 10 and not any(folder.exists() for folder in folders(made))
