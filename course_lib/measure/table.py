"""A small table that reads well as text and, in a notebook, as HTML."""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table"]


@dataclass(frozen=True, repr=False)
class Table:
    """Cells are text or numbers; numbers stand to the right, whole ones with thousands separated.

    columns  the heading of each column.
    rows     as many cells each.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]

    def __repr__(self) -> str:
        lines = [list(self.columns), *([_written(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        right = [self._is_numeric(index) for index in range(len(widths))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str | int | float], tag: str) -> str:
            aligned = ("right" if self._is_numeric(index) else "left" for index in range(len(self.columns)))
            return "".join(
                f'<{tag} style="text-align:{side}">{html.escape(_written(cell))}</{tag}>'
                for cell, side in zip(cells, aligned, strict=True)
            )

        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        return f"<table><thead><tr>{line(self.columns, 'th')}</tr></thead><tbody>{body}</tbody></table>"

    def _is_numeric(self, column: int) -> bool:
        return any(isinstance(row[column], (int, float)) for row in self.rows)

    def show(self) -> None:
        """Display the table in a notebook, print it elsewhere."""
        if "IPython" in sys.modules:
            from IPython import get_ipython
            from IPython.display import display

            if get_ipython() is not None:
                display(self)
                return
        print(self)


def _written(cell: str | int | float) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4g}" if isinstance(cell, float) else cell
