"""The runner's headers stand one above the other: none includes, or leaves to be defined, what lies above it."""

import graphlib
import re
from pathlib import Path

from course_lib.cuda.runner.host_compile import HOST

RUNTIME = HOST / "runtime"
DEFINED = re.compile(r"^(?:inline|COURSE_API|extern \"C\")[^;{=(]*?\b(\w+)\([^;{]*\{", re.MULTILINE)
DECLARED = re.compile(r"^(?:\[\[noreturn\]\] )?(?:inline )?[\w:]+[ *&]+(\w+)\([^;{)]*\);", re.MULTILINE)


def includes(text):
    return {Path(name).name for name in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE)}


def relies_on(texts, hooks):
    """Header: headers it includes, and headers that define what it declares and does not define."""
    defines = {name: set(DEFINED.findall(text)) for name, text in texts.items()}
    home = {function: name for name, functions in defines.items() for function in functions}
    return {
        name: (includes(text) & set(texts))
        | {home[f] for f in set(DECLARED.findall(text)) - defines[name] - hooks if f in home}
        for name, text in texts.items()
    }


def circle(graph):
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def headers():
    texts = {path.name: path.read_text() for path in RUNTIME.glob("*.hpp")}
    # what a watched run does at certain moments, and a normal one does not: runtime.cpp has both
    hooks = set(re.findall(r"^inline \w+ (\w+)\(", (RUNTIME / "runtime.cpp").read_text(), re.MULTILINE))
    return texts, hooks


def test_no_circle():
    texts, hooks = headers()
    assert len(hooks) > 10
    assert circle(relies_on(texts, hooks)) == []


def test_a_function_left_to_a_later_header_is_found():
    texts, hooks = headers()
    texts["schedule.hpp"] += "\nvoid release_barrier(Block* block);\n"
    assert {"schedule.hpp", "barrier.hpp"} <= set(circle(relies_on(texts, hooks)))
