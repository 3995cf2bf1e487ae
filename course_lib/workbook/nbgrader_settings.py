"""The settings that the course's build and staff's nbgrader commands share."""

from __future__ import annotations

from pathlib import Path

from traitlets.config import Config

from course_lib.handin.stubs import BEGIN, CODE_STUB, END, TEXT_STUB
from course_lib.workbook.expand import SKIPPED_TAG

__all__ = ["nbgrader_settings"]


def nbgrader_settings(root: Path, *, source: Path, release: Path | str = "release") -> Config:
    """Configuration for a course whose submissions and gradebook live below `root`.

    source   folder of generated solution notebooks, one folder a lab
    release  folder that student notebooks are written to; a relative one lies below `root`
    """
    config = Config()
    config.CourseDirectory.course_id = "small_fast_networks"
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    # absolute folders win when nbgrader joins them to its root
    config.CourseDirectory.source_directory = str(source)
    config.CourseDirectory.release_directory = str(release)
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    config.ClearSolutions.begin_solution_delimeter = BEGIN
    config.ClearSolutions.end_solution_delimeter = END
    # experiments train networks and carry no marks
    config.Execute.skip_cells_with_tag = SKIPPED_TAG
    config.Execute.timeout = 150
    return config
