"""Rewrites `__shared__` declarations for the host compiler, which has no such memory.

    __shared__ float a[16][17], b;
becomes, on the same line,
    typedef float a_type[16][17], b_type; COURSE_SHARED(a_type, a); COURSE_SHARED(b_type, b);
(see host/shared_memory.hpp). A typedef takes the declarators of a declaration as they are, so any type will do.
"""

from __future__ import annotations

import re

from course_lib.cuda.reading.source_text import blank_comments, split_top

__all__ = ["dynamic_name", "rewrite_shared"]

MARK = re.compile(r"\b__shared__\b")
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def rewrite_shared(text: str) -> str:
    """The source with its __shared__ declarations rewritten; line numbers stay.

    Declarations inside macros, and those of a form that is not understood, stay as they are.
    """
    code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), blank_comments(text))
    pieces, done = [], 0
    for mark in MARK.finditer(code):
        if mark.start() < done:
            continue
        start = max(code.rfind(end, done, mark.start()) for end in ";{}:") + 1
        end = _semicolon(code, mark.end())
        written = _declaration(code[max(start, done) : end]) if end > 0 else ""
        if written:
            start = max(start, done)
            lines = "\n" * text.count("\n", start, end)
            pieces += [text[done:start], " ", written, lines]
            done = end + 1
    return "".join([*pieces, text[done:]])


def dynamic_name(text: str) -> str:
    """What the source calls its dynamic shared memory, if it has one name for it; else "dynamic shared memory"."""
    names = set(re.findall(r"\bextern\b[^;{}]*?\b__shared__\b[^;{}]*?(\w+)\s*\[\s*\]", blank_comments(text)))
    names |= set(re.findall(r"\b__shared__\s+extern\b[^;{}]*?(\w+)\s*\[\s*\]", blank_comments(text)))
    return names.pop() if len(names) == 1 else "dynamic shared memory"


def _semicolon(code: str, start: int) -> int:
    depth = 0
    for k in range(start, len(code)):
        if code[k] in "([{":
            depth += 1
        elif code[k] in ")]}":
            depth -= 1
        elif code[k] == ";" and depth == 0:
            return k
    return -1


def _declaration(code: str) -> str:
    is_dynamic = re.search(r"\bextern\b", code) is not None
    code = re.sub(r"\b(?:__shared__|extern|static)\b", " ", code)
    code = re.sub(r"\balignas\b", "__align__", code)
    declarators = split_top(" ".join(code.split()))
    names, renamed = [], []
    for declarator in declarators:
        name = re.search(r"([A-Za-z_]\w*)\s*((?:\[[^\]]*\]\s*)*)$", declarator)
        if name is None:
            return ""
        names.append(name.group(1))
        renamed.append(f"{declarator[: name.start(1)]}{name.group(1)}_type{declarator[name.end(1) :]}")
    macro = "COURSE_DYNAMIC_SHARED" if is_dynamic else "COURSE_SHARED"
    return f"typedef {', '.join(renamed)}; " + " ".join(f"{macro}({name}_type, {name});" for name in names)
