"""Edits of a text, written as comments: what goes, what comes, and as many lines around as find the place.

    # -     return y if bias is None else y + bias[:, None, None]
    # +     return y if bias is None else y + x.shape[1] * bias[:, None, None]

`# - ` is a line that goes, `# + ` one that comes, `#   ` one that stays; what follows these four characters is the line
itself, indentation included. A blank line parts one change from the next. The lines of a change that go and stay must
stand, one below the other, exactly once in the text that is edited.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

__all__ = ["STARTS", "Change", "Edit", "EditFault", "read_edit"]

STARTS = ("# - ", "# + ", "#   ")


class EditFault(Exception):
    """An edit that cannot be read or does not apply. `line` counts from 1 in the edit's own text."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Change:
    """Neighbouring lines of one edit: pairs of a sign ("-", "+", " ") and a text. `line` is where the first stands."""

    lines: tuple[tuple[str, str], ...]
    line: int = 1

    @property
    def before(self) -> list[str]:
        return [text for sign, text in self.lines if sign != "+"]

    @property
    def after(self) -> list[str]:
        return [text for sign, text in self.lines if sign != "-"]

    def place(self, base: list[str]) -> int:
        """The one index of `base` at which this change applies. Raises EditFault if there is none, or several."""
        if self.before == self.after:
            raise EditFault(self.line, "the change changes nothing")
        if not self.before:
            raise EditFault(self.line, "nothing says where the new lines go; add the line above or below with `#   `")
        size = len(self.before)
        places = [start for start in range(len(base) - size + 1) if base[start : start + size] == self.before]
        if not places:
            raise self._missing(base)
        if len(places) > 1:
            raise EditFault(
                self.line,
                f"{_quoted(self.before)} stands {len(places)} times; add a line above or below with `#   `",
            )
        return places[0]

    def _missing(self, base: list[str]) -> EditFault:
        for line, (sign, text) in enumerate(self.lines, start=self.line):
            if sign == "+" or text in base:
                continue
            indented = [other for other in base if other.strip() == text.strip()]
            near = indented or difflib.get_close_matches(text, base, n=1)
            words = "it stands there with another indentation" if indented else "the nearest is"
            hint = f"; {words}: `{near[0]}`" if near else ""
            return EditFault(line, f"`{text}` was not found{hint}")
        return EditFault(self.line, f"{_quoted(self.before)}: these lines do not stand one below the other")


@dataclass(frozen=True)
class Edit:
    """One or more changes of one text."""

    changes: tuple[Change, ...]

    @property
    def diff(self) -> str:
        """The changes to be shown to a person: a sign, a blank, the line; an empty line between changes."""
        return "\n\n".join("\n".join(f"{sign} {text}" for sign, text in change.lines) for change in self.changes)

    @property
    def source(self) -> str:
        """The changes as they stand in a file of answers; `read_edit` reads them back."""
        return "\n".join(f"# {line}".rstrip() if line else "" for line in self.diff.split("\n"))

    def apply(self, base: str) -> str:
        """`base` with every change made. Raises EditFault if one does not apply exactly once, or two meet."""
        lines = [line.rstrip() for line in base.split("\n")]
        placed = sorted(((change.place(lines), change) for change in self.changes), key=lambda pair: pair[0])
        result, done = [], 0
        for start, change in placed:
            if start < done:
                raise EditFault(change.line, "two changes touch the same lines; write them as one")
            result += [*lines[done:start], *change.after]
            done = start + len(change.before)
        return "\n".join([*result, *lines[done:]])


def read_edit(source: str) -> Edit:
    """Read the text of an edit. Raises EditFault for a line that is none of the three kinds."""
    changes: list[Change] = []
    lines: list[tuple[str, str]] = []
    for number, line in enumerate([*source.rstrip().split("\n"), ""], start=1):
        if line.strip():
            lines.append(_signed(line.rstrip(), number))
        elif lines:
            changes.append(Change(tuple(lines), number - len(lines)))
            lines = []
    return Edit(tuple(changes))


def _signed(line: str, number: int) -> tuple[str, str]:
    """ruff takes the blanks off the end of a comment, so an empty line arrives as `# -`, `# +` or `#`."""
    padded = line.ljust(len(STARTS[0]))
    if not padded.startswith(STARTS):
        raise EditFault(number, f"`{line}`: a line of an edit begins with `# - `, `# + ` or `#   `")
    return padded[2], line[len(STARTS[0]) :]


def _quoted(lines: list[str]) -> str:
    return " / ".join(f"`{line}`" for line in lines)
