"""What is said at the end: what ran, what failed, how ours compares with the best peer, what is left."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.gpu_session.parts import Part
from benchmarks.gpu_session.results import Session

__all__ = ["exit_code", "pending", "summary"]

DONE, FAILED, LEFT = 0, 1, 3


def pending(session: Session, parts: Sequence[Part]) -> list[Part]:
    """What has not passed yet, nor cannot run here: first what was never tried, then what failed."""
    rest = [part for part in parts if session.parts.get(part.name, {}).get("status") not in ("passed", "absent")]
    return sorted(rest, key=lambda part: part.name in session.parts)


def exit_code(session: Session, parts: Sequence[Part]) -> int:
    """0: all passed. 1: something failed. 3: nothing failed, but there was no time for some."""
    rest = pending(session, parts)
    return FAILED if any(part.name in session.parts for part in rest) else LEFT if rest else DONE


def summary(session: Session, parts: Sequence[Part]) -> str:
    """The text, a few lines for each family."""
    known = [part for part in parts if part.name in session.parts]
    machine = session.machine
    lines = [f"{machine.get('device', 'unknown device')}, driver {machine.get('driver', 'unknown')}", ""]
    width = max((len(part.name) for part in known), default=0)
    for part in known:
        kept = session.parts[part.name]
        lines.append(
            f"{kept['status']:7} {part.name:{width}} {kept['seconds']:5.0f} s  {kept['said']} (at {kept['commit']})"
        )
    for family, document in session.documents.items():
        lines += ["", *_compared(family, document)]
    rest = [part.name for part in pending(session, parts) if part.name not in session.parts]
    failed = [part.name for part in known if part in pending(session, parts)]
    passed = sum(session.parts[part.name]["status"] == "passed" for part in known)
    lines += ["", f"{passed} of {len(parts)} parts passed."]
    if failed:
        lines.append(f"Failed: {', '.join(failed)}; failures.txt says how.")
    if rest:
        lines.append(f"Left for want of time: {', '.join(rest)}. `make gpu` goes on with them.")
    return "\n".join(lines)


def _compared(family: str, document: dict[str, Any]) -> list[str]:
    best = {case: _best(document["rows"], case) for case in dict.fromkeys(row["case"] for row in document["rows"])}
    ratios = {case: row["ratio_to_best_peer"] for case, row in best.items() if row}
    if not ratios:
        return [f"{family}: nothing to compare"]
    middle = statistics.median(ratios.values())
    lines = [
        f"{family}: {middle:.2f}x the best peer in the median of {len(ratios)} cases, "
        f"{min(ratios.values()):.2f}x to {max(ratios.values()):.2f}x (above 1x: faster)"
    ]
    for case, row in best.items():
        if row:
            share = f", {row['fraction_of_limit']:.0%} of the limit" if "fraction_of_limit" in row else ""
            lines.append(f"  {ratios[case]:5.2f}x {case}: {row['contender']}{share}")
    for claim in document.get("predictions", []):
        lines.append(f"  {claim['verdict']}: {claim['claim']}; measured {claim['measured']:.3g}")
    return lines


def _best(rows: Sequence[dict[str, Any]], case: str) -> dict[str, Any] | None:
    """The row of ours that is fastest."""
    timed = [row for row in rows if row["case"] == case and row["ours"] and row.get("ratio_to_best_peer")]
    return max(timed, key=lambda row: row["ratio_to_best_peer"], default=None)
