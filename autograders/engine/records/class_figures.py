"""The class report's figures as inline SVG. Colours are CSS classes, so that a page's light or dark theme sets them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["VERDICT_ORDER", "histogram", "pass_rates", "share_bar"]

VERDICT_ORDER = (
    "right", "wrong", "error", "missing", "timeout", "out of memory", "output limit", "process died", "harness fault",
)  # fmt: skip
WIDTH = 860


def histogram(scores: Sequence[float], points: float, bins: int = 20) -> str:
    """How many students have which mark: `bins` equal steps from 0 to `points`, with mean and median marked."""
    points = points or 1.0
    counts = [0] * bins
    for score in scores:
        counts[min(int(score / points * bins), bins - 1) if score > 0 else 0] += 1
    left, top, right, bottom, height = 48, 24, 16, 46, 260
    plot_width, plot_height = WIDTH - left - right, height - top - bottom
    step = _nice_step(max([*counts, 1]))
    ceiling = step * math.ceil(max([*counts, 1]) / step)

    def x(score: float) -> float:
        return left + score / points * plot_width

    def y(count: float) -> float:
        return top + plot_height * (1 - count / ceiling)

    parts = [_open(WIDTH, height, "Distribution of marks", f"Histogram of {len(scores)} marks out of {points:g}.")]
    for tick in range(0, ceiling + 1, step):
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for place, count in enumerate(counts):
        start, end = points * place / bins, points * (place + 1) / bins
        words = f"{count} from {start:g} to {end:g}"
        parts.append(
            f'<rect class="bar" x="{x(start) + 1:.1f}" y="{y(count):.1f}" width="{plot_width / bins - 2:.1f}" '
            f'height="{top + plot_height - y(count):.1f}" rx="2"><title>{words}</title></rect>'
        )
    every = _nice_step(points, lines=8)
    for score in range(0, math.floor(points) + 1, every):
        parts.append(f'<text class="tick" x="{x(score):.1f}" y="{height - bottom + 18}" text-anchor="middle">'
                     f"{score}</text>")  # fmt: skip
    parts.append(f'<text class="axis" x="{left + plot_width / 2}" y="{height - 6}" text-anchor="middle">mark</text>')
    parts.append(f'<text class="axis" x="14" y="{top + plot_height / 2}" text-anchor="middle" '
                 f'transform="rotate(-90 14 {top + plot_height / 2})">students</text>')  # fmt: skip
    return "".join([*parts, *_markers(scores, x, top, top + plot_height), "</svg>"])


def _markers(scores: Sequence[float], x: object, top: float, base: float) -> list[str]:
    """Vertical lines at the mean and the median, their words on the two sides so that they never meet."""
    import statistics

    if not scores:
        return []
    mean, median = statistics.fmean(scores), statistics.median(scores)
    sides = {"mean": "end", "median": "start"} if mean <= median else {"mean": "start", "median": "end"}
    parts = []
    for name, value in (("mean", mean), ("median", median)):
        at, shift = x(value), 5 if sides[name] == "start" else -5  # type: ignore[operator]
        parts.append(f'<line class="mark {name}" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 6}" y2="{base}"/>')
        parts.append(f'<text class="tick strong" x="{at + shift:.1f}" y="{top - 8}" text-anchor="{sides[name]}">'
                     f"{name} {value:.1f}</text>")  # fmt: skip
    return parts


def pass_rates(rows: Sequence[tuple[str, Mapping[str, int]]], title: str) -> str:
    """A stacked bar for each question, `rows` = (label, verdict -> students): what became of it, right on the left."""
    line, left, right, top, bottom = 24, 232, 58, 8, 40
    height = top + line * len(rows) + bottom
    plot = WIDTH - left - right
    parts = [_open(WIDTH, height, title, "One bar a question: the share of submissions with each verdict.")]
    base = top + line * len(rows)
    for percent in range(0, 101, 25):
        at = left + plot * percent / 100
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{base}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{base + 16}" text-anchor="middle">{percent}%</text>')
    for place, (label, verdicts) in enumerate(rows):
        y, total = top + line * place, sum(verdicts.values())
        parts.append(f'<text class="label" x="{left - 10}" y="{y + 16}" text-anchor="end">{escape(_short(label))}'
                     f"<title>{escape(label)}</title></text>")  # fmt: skip
        parts += _stack(verdicts, left, y + 3, plot, line - 6)
        rate = f"{100 * verdicts.get('right', 0) / total:.0f}%" if total else "none"
        parts.append(f'<text class="tick strong" x="{WIDTH - right + 10}" y="{y + 16}">{rate}</text>')
    parts.append(f'<text class="axis" x="{left + plot / 2}" y="{height - 6}" text-anchor="middle">'
                 "share of submissions (figure at the right: full marks)</text>")  # fmt: skip
    return "".join([*parts, "</svg>"])


def share_bar(verdicts: Mapping[str, int], title: str) -> str:
    """One stacked bar of verdicts over the whole class."""
    height = 26
    parts = [_open(WIDTH, height, title, "One bar: the share of all questions with each verdict.")]
    return "".join([*parts, *_stack(verdicts, 0, 0, WIDTH, height), "</svg>"])


def _stack(verdicts: Mapping[str, int], x: float, y: float, width: float, height: float) -> list[str]:
    total, parts = sum(verdicts.values()), []
    for verdict in VERDICT_ORDER:
        count = verdicts.get(verdict, 0)
        if count:
            piece = width * count / total
            words = f"{verdict}: {count} of {total} ({100 * count / total:.0f}%)"
            parts.append(
                f'<rect class="v-{verdict.replace(" ", "-")}" x="{x:.1f}" y="{y:.1f}" width="{piece:.2f}" '
                f'height="{height:.1f}"><title>{words}</title></rect>'
            )
            x += piece
    return parts


def _open(width: float, height: float, title: str, description: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}. {escape(description)}">'
        f"<title>{escape(title)}</title>"
    )


def _nice_step(largest: float, lines: int = 5) -> int:
    """1, 2 or 5 times a power of ten, for at most so many lines."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if largest / step <= lines:
                return step
        power *= 10


def _short(label: str, limit: int = 30) -> str:
    return label if len(label) <= limit else f"{label[: limit - 1]}\u2026"
