"""What a student has done so far: results of visible checks, kept on this computer and shown to nobody else."""

from __future__ import annotations

from course_lib.progress.attempts import record_answer, record_check
from course_lib.progress.page import show

__all__ = ["record_answer", "record_check", "show"]
