"""A night as one HTML page that needs nothing beside it, in light and dark, on a screen and on a phone."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup, escape

from course_lib.workbook.nightly.report import NightReport
from course_lib.workbook.nightly.sparkline import sparkline

__all__ = ["page"]

TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(night: NightReport) -> str:
    """The whole page."""
    from jinja2 import ChainableUndefined, Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=ChainableUndefined)
    environment.filters |= {"duration": duration, "number": number, "day": day, "breakable": breakable}
    environment.globals["sparkline"] = lambda *arguments: Markup(sparkline(*arguments))
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(night=night, run=night.run)


def duration(seconds: float) -> str:
    """Such as `8.2 s`, `48 s`, `12 min 5 s`, `1 h 2 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float | None) -> str:
    """Four digits; whole numbers in full."""
    if value is None:
        return "not finite"
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e12 else f"{value:.4g}"


def breakable(name: str) -> Markup:
    """A name that a narrow screen may break after an underscore."""
    return escape(name).replace("_", Markup("_<wbr>"))


def day(moment: str) -> str:
    """`2026-11-22T03:20:11+00:00` -> `2026-11-22, 03:20 UTC`."""
    return f"{moment[:10]}, {moment[11:16]} UTC"
