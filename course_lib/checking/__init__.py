"""Visible checks: comparisons whose messages tell a student what to look at.

    with checking.check("dense"):
        checking.close(dense(x, w, b), [[1.0, 2.0]], "dense(x, w, b)", hint="Was the bias added?")

close, equal      numbers within a tolerance; anything exactly
that, raises      a condition; a refusal of bad input
unchanged         the block leaves its inputs as they were
without           the block does not call the torch functions that the exercise builds

A failed comparison shows what was returned, what was expected, where they first differ, and the hint, without
a traceback through these files. An error inside the student's own code keeps its traceback.
"""

from course_lib.checking.checks import check, close, equal, raises, that, unchanged, without
from course_lib.checking.comparing import CheckFailed

__all__ = ["CheckFailed", "check", "close", "equal", "raises", "that", "unchanged", "without"]
