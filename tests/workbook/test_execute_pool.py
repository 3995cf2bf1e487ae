"""Notebooks that hang, kill their kernel, kill or freeze their worker: each costs itself alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograders.authoring.course_maker import Parts, make_course
from course_lib.workbook.execute import pool
from course_lib.workbook.execute.limits import TimeBudget
from course_lib.workbook.execute.tasks import Task
from tests.ctrl_c import interruptible

HOSTILE = {
    "sound": "print('hello')",
    "hangs": "import time\ntime.sleep(600)",
    "kills_kernel": "import os\nos._exit(3)",
    "kills_worker": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "freezes_worker": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)",
    "also_sound": "print('hello')",
}


class Recorder:
    def __init__(self):
        self.events = []

    def started(self, task):
        self.events.append(("started", task.notebook))

    def progressed(self, task, progress):
        self.events.append(("progressed", task.notebook, progress.done, progress.total))

    def finished(self, result):
        self.events.append(("finished", result.task.notebook))


def make_task(folder, name, source, stop):
    path = folder / f"{name}.ipynb"
    cells = [new_code_cell("before = 1", id="before"), new_code_cell(source, id="hostile")]
    nbformat.write(new_notebook(cells=cells), path)
    return Task(
        notebook=name,
        lab="lab",
        part="solution",
        input=path,
        executed=folder / "executed" / path.name,
        scratch=folder / "scratch" / name,
        parameters={"seed": 0},
        budget=TimeBudget(target=None, stop=stop),
        threads=1,
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    recorder = Recorder()
    # long enough for a kernel to start on a busy machine; only what hangs or freezes waits for it
    tasks = [make_task(folder, name, source, stop=15) for name, source in HOSTILE.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "GRACE_SECONDS", 1)
        results = pool.run_tasks(tasks, 3, recorder)
    return {result.task.notebook: result for result in results}, recorder.events


def test_results_come_in_the_order_of_the_tasks(outcome):
    results, _ = outcome
    assert list(results) == list(HOSTILE)


@pytest.mark.parametrize("name", ["sound", "also_sound"])
def test_sound_notebooks_are_not_disturbed(outcome, name):
    results, events = outcome
    assert results[name].ok, results[name].problems
    mine = [event for event in events if event[1] == name]
    assert mine[0] == ("started", name)
    assert mine[1:-1] == [("progressed", name, done, 3) for done in range(4)]
    assert mine[-1] == ("finished", name)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("hangs", "time", "stopped after 15 s, in cell hostile"),
        ("kills_kernel", "worker", "Kernel died, in cell hostile"),
        ("kills_worker", "worker", "died with exit code -9"),
        ("freezes_worker", "worker", "killed after"),
    ],
)
def test_hostile_notebooks_fail_with_the_reason(outcome, name, kind, words):
    results, _ = outcome
    assert not results[name].ok
    assert results[name].problems[0].kind == kind
    assert words in results[name].problems[0].summary


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_end_the_command_and_its_kernels(tmp_path, ending):
    started = tmp_path / "started"
    setup = (
        '# %% tags=["parameters"]\nseed = 0\n\n# %% tags=["setup"]\n'
        f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    make_course(tmp_path, Parts("1a_sleep", "lab1_x", text="", start=setup))
    command = [sys.executable, "-P", "-m", "course_lib.cli", "run", "--jobs", "1"]
    process = subprocess.Popen(
        interruptible(command),
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    wait_until(lambda: started.exists() and started.read_text(), process)
    # a terminal sends to all of them, `kill` to the one
    os.killpg(process.pid, ending) if ending == signal.SIGINT else process.send_signal(ending)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert said == "course: stopped.\n"
    kernel = int(started.read_text())
    wait_until(lambda: not is_running(kernel))


def wait_until(condition, process=None, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
