"""Which kernels wait for other threads, judged from the text: the others are compiled to plain loops.

A wrong "does not wait" costs a compilation, no more: such a kernel does not link as plain loops
(runner/host/thread.hpp).
"""

from __future__ import annotations

import re

from course_lib.cuda.reading.source_text import closing

__all__ = ["may_wait"]

WAITING = re.compile(
    r"\b(?:__syncthreads\w*|__\w+_sync|__syncwarp|__activemask|__nanosleep|cooperative_groups|mma_\w+|ldmatrix\w*|barrier|sync)\b"
)
DEFINITION = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
BODY = re.compile(r"[^;{}()]*\{")
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:\\\n|[^\n])*)", re.MULTILINE)
STATEMENTS = {"if", "for", "while", "switch"}
WORD = re.compile(r"[A-Za-z_]\w*")


def may_wait(code: str, kernel: str) -> bool:
    """True if the kernel, or something that it names, names a barrier or a warp function.

    code  without comments and literals; macro definitions are in it.
    """
    if not WAITING.search(code):
        return False
    bodies = _bodies(code)
    seen: set[str] = set()
    waiting = [kernel]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for body in bodies.get(name, []):
            if WAITING.search(body):
                return True
            waiting.extend(word for word in set(WORD.findall(body)) if word in bodies)
    return kernel not in bodies


def _bodies(code: str) -> dict[str, list[str]]:
    """Function and macro bodies by name. Methods are found by their own names, constructors by their class's."""
    found: dict[str, list[str]] = {}
    for name, body in MACRO.findall(code):
        found.setdefault(name, []).append(body)
    for match in DEFINITION.finditer(code):
        end = closing(code, match.end() - 1)
        if end < 0 or match.group(1) in STATEMENTS:
            continue
        brace = BODY.match(code, end + 1)
        if brace:
            found.setdefault(match.group(1), []).append(code[brace.end() : closing(code, brace.end() - 1)])
    return found
