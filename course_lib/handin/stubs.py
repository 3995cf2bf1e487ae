"""What students get in place of an answer, and whether it still stands there."""

from __future__ import annotations

import re

__all__ = ["CODE_STUB", "TEXT_STUB", "stub_lines"]

_TO_DO = "Replace this line and the one above with your code."
CODE_STUB = f"# YOUR CODE HERE\nraise NotImplementedError('{_TO_DO}')"
TEXT_STUB = "*Your answer here.*"

# a formatter may change the quotes and break the line
_STUB = re.compile(rf"^[ \t]*raise[ \t]+NotImplementedError\(\s*(['\"]){re.escape(_TO_DO)}\1,?\s*\)", re.MULTILINE)


def stub_lines(text: str) -> list[int]:
    """Numbers of the lines, from 1 on, in which a stub of code still stands: one for each part not yet written."""
    return [text.count("\n", 0, found.start()) + 1 for found in _STUB.finditer(text)]
