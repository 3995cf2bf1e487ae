"""What must hold of a workspace after any run, and child processes to try runs in."""

from __future__ import annotations

import os

from autograders.engine.records.writer import Writer
from tests.autograders.engine.synthetic_results import LAB


def in_child(action) -> int:
    """Run `action` in a forked process; returns its wait status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def check_class(workspace, sources, results):
    with Writer(workspace, LAB, sources) as writer:
        check_written(writer, results)


def check_written(writer, results):
    """Every student once, all files whole, marks those of the results."""
    from nbgrader.api import Gradebook

    workspace, sources = writer.workspace.root, writer.sources
    for entry in results:
        assert writer.done(entry.student) == entry.sha256
        assert writer.evidence(entry.student) == entry
        assert writer.diff(entry) == []
    with Gradebook(f"sqlite:///{workspace / 'gradebook.db'}") as book:
        rows = [submission.student.id for submission in book.assignment_submissions(LAB)]
        grades = [grade for row in book.assignment_submissions(LAB) for nb in row.notebooks for grade in nb.grades]
    assert sorted(rows) == sorted(entry.student for entry in results)
    assert len(grades) == 3 * len(sources) * len(results)
    for entry in results:
        for source in sources:
            page = workspace / "feedback" / entry.student / LAB / f"{source}.html"
            assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert list((workspace / ".partial").iterdir()) == []
