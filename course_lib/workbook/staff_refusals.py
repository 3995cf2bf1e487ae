"""What the course's staff refuse to build, asked of them by the name that the course's pyproject.toml gives."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path

from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.workbook.source import SourceNotebook

__all__ = ["staff_refusals"]


def staff_refusals(root: Path, notebooks: Iterable[SourceNotebook]) -> list[str]:
    """What the staff of the course at `root` refuse beside, such as an exercise without a hidden question."""
    reference = places(root).refusals
    if not reference:
        return []
    if str(root) not in sys.path:  # what staff have is not installed
        sys.path.append(str(root))
    try:
        refuse = pkgutil.resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise CourseError(f"{root / 'pyproject.toml'}: refusals = {reference!r} cannot be loaded: {error}") from error
    return list(refuse(notebooks))
