"""What stands around an answer in a source, what students get in its place, and whether that still stands there."""

from __future__ import annotations

import re

__all__ = ["BEGIN", "CODE_STUB", "END", "MARK", "TEXT_STUB", "UNWRITTEN", "stub_lines"]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
MARK, UNWRITTEN = "# YOUR CODE HERE", "raise NotImplementedError"  # the two lines of a stub begin so

_TO_DO = "Replace this line and the one above with your code."
CODE_STUB = f"{MARK}\n{UNWRITTEN}('{_TO_DO}')"
TEXT_STUB = "*Your answer here.*"

# a formatter may change the quotes and break the line
_STUB = re.compile(rf"^[ \t]*{UNWRITTEN}\(\s*(['\"]){re.escape(_TO_DO)}\1,?\s*\)", re.MULTILINE)


def stub_lines(text: str) -> list[int]:
    """Numbers of the lines, from 1 on, in which a stub of code still stands: one for each part not yet written."""
    return [text.count("\n", 0, found.start()) + 1 for found in _STUB.finditer(text)]
