"""A run killed at any moment and started again: each submission in the gradebook once, complete, none lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from autograders.engine.records.writer import Writer
from tests.autograders.engine.synthetic_results import LAB, synthetic_result, tiny_sources
from tests.autograders.engine.written import check_class, check_written, in_child


@pytest.fixture(scope="module")
def one_notebook(tmp_path_factory):
    """A lab with fewer steps to be killed at."""
    return tiny_sources(tmp_path_factory.mktemp("course"), ["9a_tiny"])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, one_notebook):
    """Makes workspaces with a gradebook: nbgrader takes seconds to make a new one, so it is copied."""
    made = tmp_path_factory.mktemp("made")
    with Writer(made, LAB, one_notebook):
        pass

    def copy(workspace):
        shutil.copytree(made, workspace, dirs_exist_ok=True)
        return workspace

    return copy


def kill_at(point: int) -> None:
    """Let this process die of SIGKILL at the `point`-th step that reaches the disk."""
    from sqlalchemy.orm import Session

    steps = 0

    def dying(call):
        def step(*arguments, **named):
            nonlocal steps
            steps += 1
            if steps == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return step

    os.fsync = dying(os.fsync)
    Path.open = dying(Path.open)
    Path.replace = dying(Path.replace)
    Path.unlink = dying(Path.unlink)
    Session.commit = dying(Session.commit)
    Session.flush = dying(Session.flush)


def test_killed_at_every_step(tmp_path, one_notebook, fresh):
    sources = one_notebook
    first, second = (synthetic_result(name, LAB, sources) for name in ("first", "second"))
    with Writer(fresh(tmp_path / "before"), LAB, sources) as writer:
        writer.write(first)
    for point in range(1, 200):
        workspace = shutil.copytree(tmp_path / "before", tmp_path / str(point))

        def run(workspace=workspace, point=point):
            with Writer(workspace, LAB, sources) as writer:
                kill_at(point)
                writer.write(second)

        status = in_child(run)
        with Writer(workspace, LAB, sources) as writer:
            assert writer.done("first") == first.sha256
            if writer.done("second") is None:
                assert status != 0
                writer.write(second)
            check_written(writer, [first, second])
        if status == 0:
            break
    assert 10 < point < 199  # the steps were there to be killed at


def test_killed_at_every_step_of_a_regrade(tmp_path, one_notebook, fresh):
    """Before the new marks stand the old ones do, with their evidence; never a mixture that counts as done."""
    sources = one_notebook
    old, new = (synthetic_result("ada", LAB, sources, ability=share, seed=seed) for share, seed in ((0.9, 0), (0.1, 1)))
    with Writer(fresh(tmp_path / "before"), LAB, sources) as writer:
        writer.write(old)
    for point in range(1, 200):
        workspace = shutil.copytree(tmp_path / "before", tmp_path / str(point))

        def run(workspace=workspace, point=point):
            with Writer(workspace, LAB, sources) as writer:
                kill_at(point)
                writer.write(new)

        status = in_child(run)
        with Writer(workspace, LAB, sources) as writer:
            standing = writer.done("ada")
            assert standing in (old.sha256, new.sha256)
            check_written(writer, [old if standing == old.sha256 else new])
        if status == 0:
            assert standing == new.sha256
            break
    assert 10 < point < 199


def test_killed_while_the_workspace_is_made(tmp_path, one_notebook):
    sources = one_notebook
    entry = synthetic_result("ada", LAB, sources)
    for point in (1, 2, 3, 5, 8):
        workspace = tmp_path / str(point)

        def run(workspace=workspace, point=point):
            kill_at(point)
            with Writer(workspace, LAB, sources) as writer:
                writer.write(entry)

        assert in_child(run) != 0
        with Writer(workspace, LAB, sources) as writer:
            writer.write(entry)
            check_written(writer, [entry])


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.45, 0.8])
def test_killed_at_any_time(tmp_path, one_notebook, delay, fresh):
    fresh(tmp_path)
    sources = one_notebook
    results = [synthetic_result(f"s{n}", LAB, sources) for n in range(4)]
    for _ in range(40):
        with Writer(tmp_path, LAB, sources) as writer:
            left = [entry for entry in results if writer.done(entry.student) != entry.sha256]
        if not left:
            break
        child = os.fork()
        if child == 0:
            with Writer(tmp_path, LAB, sources) as writer:
                for entry in left:
                    writer.write(entry)
            os._exit(0)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        delay *= 1.3
    check_class(tmp_path, sources, results)
