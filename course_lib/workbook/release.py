"""nbgrader's own release step: solution notebooks -> student notebooks, without answers and hidden tests."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from course_lib.errors import CourseError
from course_lib.workbook.expand import expand
from course_lib.workbook.nbgrader_settings import nbgrader_settings
from course_lib.workbook.source import SourceNotebook

__all__ = ["release", "write_sources"]


def write_sources(notebooks: Iterable[SourceNotebook], folder: Path) -> None:
    """Write solution notebooks as `folder/LAB/NOTEBOOK.ipynb`, the layout nbgrader's source folder has."""
    for source in notebooks:
        path = folder / source.lab / f"{source.id}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        notebook = expand(source)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)


def release(sources: Path, labs: Iterable[str], destination: Path) -> None:
    """Run `nbgrader generate_assignment` for each lab below `sources` and write student notebooks to `destination`.

    No gradebook is touched. Raises CourseError with nbgrader's own message.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    messages = _Messages()
    with TemporaryDirectory() as scratch:
        config = nbgrader_settings(Path(scratch), source=sources.resolve(), release=destination.resolve())
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
        for lab in labs:
            config.CourseDirectory.assignment_id = lab
            converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
            converter.log = messages.logger
            try:
                converter.start()
            except (NbGraderException, SystemExit) as error:
                raise CourseError(f"nbgrader could not release {lab}: {messages.cause() or error}") from error


class _Messages(logging.Handler):
    """Keeps nbgrader's log off the terminal, and its errors for the one sentence that people see."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.errors: list[str] = []
        self.logger = logging.Logger("course.release", level=logging.ERROR)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage())

    def cause(self) -> str:
        """The last line of the traceback that nbgrader logs: the exception's own words."""
        traces = [text for text in self.errors if text.startswith("Traceback")]
        return (traces or self.errors or [""])[0].strip().splitlines()[-1]
