"""The result file and the table printed from it: one source, two readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["add_ratios", "save", "table"]

RESULTS = Path(__file__).resolve().parents[1] / "results"


def add_ratios(rows: Sequence[dict[str, Any]]) -> None:
    """For every timed row of one case: best peer's seconds / its own seconds. Above 1: faster than every peer."""
    peers = [row["seconds"]["median"] for row in rows if not row["ours"] and "seconds" in row]
    for row in rows:
        if "seconds" in row and peers:
            row["ratio_to_best_peer"] = min(peers) / row["seconds"]["median"]


def save(document: Mapping[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per contender: time, fraction of the limit, ratio to the best peer, relative error."""
    lines: list[tuple[str, ...]] = [("case", "contender", "median", "quartiles", "of limit", "vs best peer", "error")]
    shown = None
    for row in rows:
        case = row["case"] if row["case"] != shown else ""
        shown = row["case"]
        name = f"* {row['contender']}" if row["ours"] else f"  {row['contender']}"
        lines.append((case, name, *_numbers(row)))
    widths = [max(len(line[i]) for line in lines if len(line) > 3) for i in range(len(lines[0]))]
    return "\n".join(_line(line, widths) for line in lines)


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    if "seconds" not in row:
        return (row.get("unavailable", "wrong result, not timed"),)
    seconds = row["seconds"]
    ratio = f"{row['ratio_to_best_peer']:.2f}x" if "ratio_to_best_peer" in row else "-"
    span = f"{_time(seconds['low'])}..{_time(seconds['high'])}"
    return _time(seconds["median"]), span, f"{row['fraction_of_limit']:.0%}", ratio, f"{row['relative_error']:.1e}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    words = [cells[0].ljust(widths[0]), cells[1].ljust(widths[1])]
    if len(cells) == 3:  # a reason instead of numbers
        return "  ".join([*words, cells[2]]).rstrip()
    return "  ".join([*words, *(cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True))])


def _time(seconds: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
