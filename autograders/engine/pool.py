"""Grades many submissions at a time with dask.distributed: on this machine's cores, or on a cluster that is there.

Workers return data; the caller, one process, writes. No more submissions are read or kept than workers are busy with,
so memory does not grow with the class. A worker that dies costs a repetition, then a fault for its submission alone.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from autograders.engine.submission import Submission
from autograders.engine.submission_grading import GradingSettings, SubmissionGrader
from autograders.engine.verdict import CaseResult, NotebookResult, QuestionResult, SubmissionResult, Verdict
from course_lib.errors import CourseError

__all__ = ["graded"]

AHEAD = 2  # submissions given out for each worker: one in work, one waiting
RETRIES = 2  # of a submission whose worker died


def graded(
    submissions: Iterable[Submission], settings: GradingSettings, *, jobs: int, cluster: str | None = None
) -> Iterator[SubmissionResult]:
    """A result for every submission, in the order in which they are done.

    cluster  address of a dask scheduler whose workers have this course at the same path; None: this machine.
    Raises CourseError if the cluster cannot be reached.
    """
    waiting = iter(submissions)
    first = list(itertools.islice(waiting, jobs))
    if not first:  # workers take seconds to start
        return
    waiting = itertools.chain(first, waiting)
    with _client(min(jobs, len(first)), cluster) as client:
        client.register_plugin(_plugin(settings))
        ahead = AHEAD * (jobs if cluster is None else max(1, len(client.scheduler_info()["workers"])))
        running: dict[Any, Submission] = {}
        while True:
            for submission in itertools.islice(waiting, ahead - len(running)):
                future = client.submit(_grade, submission, pure=False, retries=RETRIES)
                running[future] = submission
            if not running:
                return
            for future in _finished(list(running)):
                yield _result(future, running.pop(future), settings)


def _grade(submission: Submission) -> SubmissionResult:
    from distributed import get_worker

    worker: Any = get_worker()
    return worker.course_grader.grade(submission)


def _plugin(settings: GradingSettings) -> Any:
    from distributed import WorkerPlugin

    class Grader(WorkerPlugin):
        """Keeps what all submissions share, and the sandboxes made ahead, in each worker."""

        name = "course-grader"

        def setup(self, worker: Any) -> None:
            worker.course_grader = SubmissionGrader(settings).__enter__()

        def teardown(self, worker: Any) -> None:
            worker.course_grader.__exit__()

    return Grader()


@contextlib.contextmanager
def _client(jobs: int, cluster: str | None) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    logging.getLogger("distributed").setLevel(logging.ERROR)  # its news are for those who run a cluster
    options = {
        "distributed.worker.daemon": True,
        "distributed.comm.timeouts.connect": "60s",
        "distributed.admin.low-level-log-length": 0,  # logs of the last messages keep whole submissions in memory
    }
    with contextlib.ExitStack() as opened:
        opened.enter_context(dask.config.set(options))
        if cluster is None:
            # other users of this machine must not be able to give our workers code to run
            place = opened.enter_context(
                LocalCluster(
                    n_workers=jobs, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                    security=Security.temporary(),
                )
            )  # fmt: skip
        else:
            _require_listener(cluster)
            place = cluster
        try:
            client = Client(place, timeout=30)
        except (OSError, ValueError) as error:
            raise _no_scheduler(cluster, error) from error
        yield opened.enter_context(client)


def _require_listener(address: str) -> None:
    """Raises CourseError at once where nothing listens: dask would go on trying for half a minute."""
    from distributed.comm.addressing import get_address_host_port

    if "://" in address and not address.startswith(("tcp://", "tls://")):
        return
    try:
        with socket.create_connection(get_address_host_port(address), timeout=10):
            pass
    except (OSError, ValueError) as error:
        raise _no_scheduler(address, error) from error


def _no_scheduler(address: str | None, error: Exception) -> CourseError:
    return CourseError(f"there is no dask scheduler at {address}: {error}; check the address")


def _finished(futures: list[Any]) -> list[Any]:
    from distributed import wait

    return list(wait(futures, return_when="FIRST_COMPLETED").done)


def _result(future: Any, submission: Submission, settings: GradingSettings) -> SubmissionResult:
    try:
        result = future.result()
    except Exception as error:  # whatever a worker met: this submission waits for a person, the others go on
        result = _fault(submission, settings, f"{type(error).__name__}: {error}")
    future.release()
    return result


def _fault(submission: Submission, settings: GradingSettings, message: str) -> SubmissionResult:
    """A result that gives no marks and asks for a person."""
    from course_lib.workbook import source_notebooks

    notebooks = []
    for name, source in source_notebooks(settings.root).items():
        if source.lab == submission.lab:
            case = CaseResult("the grading", Verdict.FAULT, message)
            cells = source.text.of_kind("check", "quiz")
            questions = tuple(QuestionResult(cell.id, float(cell.points or 0), (case,)) for cell in cells)
            notebooks.append(NotebookResult(name, questions))
    return SubmissionResult(
        submission.student, submission.lab, submission.sha256, settings.seed, tuple(notebooks),
        (*submission.problems, "The grader failed on this submission."),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
