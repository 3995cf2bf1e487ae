"""Makes a student's strings harmless to show: nothing in them becomes markup, whoever renders the notebook later.

The same notebook is rendered by this engine, by `nbgrader generate_feedback`, by Formgrader and by JupyterLab, each
with a Markdown parser of its own. So no parser is imitated here: an invisible WORD JOINER is set behind the character
that opens a tag, an entity, an image or a scheme, which then is plain text to each of them and looks the same.
"""

from __future__ import annotations

import re

__all__ = ["harmless_markdown", "literal_markdown", "one_line", "terminal_text", "text_only"]

JOINER = "\u2060"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CONTROL_BUT_ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_COLOUR = r"\x1b\[(?:\d{1,2}(?:;\d{1,3}){0,7})?m"
_ESCAPE_BUT_COLOUR = re.compile(rf"(?!{_COLOUR})\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*|.)?", re.DOTALL)
_OPENING = re.compile(
    r"<(?=[A-Za-z/!?])"  # a tag, a comment, an autolink
    r"|&(?=#|[A-Za-z][A-Za-z0-9]*;)"  # an entity, which may spell any of the others
    r"|!(?=\[)"  # an image: whoever opens the page would fetch it from a server of the student's
)
_SCHEME = re.compile(r"(?i)(javascript|vbscript|data|file|blob|view-source)(?=[\s\\]*:)")
_DEEP = re.compile(r"(?m)^(?:[ \t]*(?:>|[-+*]|\d+[.)])){12,}|[\[\]]{40}|\*{40}|_{40}|`{40}|\({40}")
LONGEST_TEXT = 20_000


def text_only(text: str, limit: int) -> str:
    """At most `limit` characters of plain text: no control characters but tab and line feed, no broken Unicode."""
    return _cut(_CONTROL.sub(_replacement, _lines(text)), limit)


def terminal_text(text: str, limit: int) -> str:
    """As `text_only`, and colours that a terminal would show are kept; what a carriage return overwrote is left out."""
    lines = _lines(text).split("\n") if "\r" not in text else [_overwritten(line) for line in text.split("\n")]
    colours_only = _ESCAPE_BUT_COLOUR.sub("", "\n".join(lines))
    return _cut(_CONTROL_BUT_ESCAPE.sub(_replacement, colours_only), limit)


def one_line(text: str, limit: int = 400) -> str:
    """One line of plain text, for a message in a list."""
    line = " ".join(_CONTROL.sub(" ", _ESCAPE_BUT_COLOUR.sub("", re.sub(_COLOUR, "", text))).split())
    return line if len(line) <= limit else f"{line[:limit]} ..."


def harmless_markdown(text: str) -> str:
    """A student's Markdown without HTML, entities, remote images and active links; the rest looks as written.

    Text that is very long or deeply nested, which makes parsers slow, comes back as an indented block of plain text.
    """
    clean = text_only(text, LONGEST_TEXT)
    if len(text) > LONGEST_TEXT or _is_slow_to_parse(clean):
        return "\n".join(f"    {line}" for line in clean.split("\n"))
    return _SCHEME.sub(rf"\1{JOINER}", _OPENING.sub(rf"\g<0>{JOINER}", clean))


def literal_markdown(sentence: str) -> str:
    """Markdown that shows `sentence` as it stands, on one line, whatever characters it has."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+\-.!|~$>=:^\"'])", r"\\\1", one_line(sentence))
    return re.sub(r"[<&]", rf"\g<0>{JOINER}", escaped)


def _is_slow_to_parse(text: str) -> bool:
    """Parsers search for the partner of each bracket, star and backtick: thousands of them take time squared."""
    many = any(text.count(mark) > 1500 for mark in "[]()*_`$<>|~!\\^=")
    return many or text.count("\\begin") > 100 or bool(_DEEP.search(text))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _overwritten(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def _replacement(match: re.Match[str]) -> str:
    return "\ufffd" if "\ud800" <= match[0] <= "\udfff" else ""


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n[{len(text) - limit:,} characters more]"
