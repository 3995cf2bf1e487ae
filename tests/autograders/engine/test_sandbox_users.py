"""Without cgroups, one submission's processes must not use up another's."""

from __future__ import annotations

import contextlib
import os

import pytest

from autograders.engine.isolation import sandbox
from autograders.engine.isolation.caps import NoCaps
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.student_process import StudentProcess
from tests.autograders.engine.needs import needs_sandbox

pytestmark = [needs_sandbox, pytest.mark.slow, pytest.mark.timeout(180)]

FILL = """
import os, time
children = 0
while True:
    try:
        child = os.fork()
    except OSError:
        break
    if not child:
        time.sleep(120)
    children += 1
print(children)
"""
FORK = "import os\nif not (child := os.fork()): os._exit(0)\nprint(os.waitpid(child, 0)[1])"


def run(process, source):
    process.allow(60)
    return process.execute(source, "cell")


def test_a_full_sandbox_leaves_another_its_processes(monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("a user's own namespaces count its processes apart")
    monkeypatch.setattr(sandbox, "best_caps", NoCaps)
    limits = Limits(processes=40)
    with contextlib.ExitStack() as opened:
        processes = []
        for _ in range(2):
            place = sandbox.Sandbox(limits)
            opened.callback(place.close)
            place.wait()
            processes.append(StudentProcess(place))
            opened.callback(processes[-1].close)
        filled = run(processes[0], FILL)
        assert 0 < int(filled.text) < 40, filled
        assert run(processes[1], FORK).text.strip() == "0"
