"""Solution regions: the lines between `### BEGIN SOLUTION` and `### END SOLUTION`."""

from __future__ import annotations

from collections.abc import Iterator

from course_lib.handin.stubs import BEGIN, END

__all__ = ["has_solution", "marker_fault", "solution_region", "split_at_solution"]


def marker_fault(source: str) -> str | None:
    """What is wrong with the markers of one cell, or None: each region opened once, then closed."""
    opened = False
    for number, line in enumerate(source.splitlines(), start=1):
        text = line.strip()
        if text == BEGIN:
            if opened:
                return f"line {number} opens a solution inside a solution"
            opened = True
        elif text == END:
            if not opened:
                return f"line {number} ends a solution that was not begun"
            opened = False
        elif "BEGIN SOLUTION" in text or "END SOLUTION" in text:
            return f"line {number} has a marker that is not exactly {BEGIN!r} or {END!r}"
    return "a solution is begun and not ended" if opened else None


def has_solution(source: str) -> bool:
    return BEGIN in source


def solution_region(source: str) -> str:
    """The lines inside the regions, markers left out."""
    return "\n".join(line for line, inside in _lines(source) if inside)


def split_at_solution(source: str) -> tuple[str, str]:
    """The text outside the regions and the text inside: a free-text question's prompt and its model answer."""
    outside = "\n".join(line for line, inside in _lines(source) if not inside)
    return outside.strip(), solution_region(source).strip()


def _lines(source: str) -> Iterator[tuple[str, bool]]:
    inside = False
    for line in source.splitlines():
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
        else:
            yield line, inside
