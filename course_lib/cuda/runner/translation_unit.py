"""From CUDA C++ to the C++ that the host compiler gets: the source rewritten, and the table that the runner reads.

    __shared__ float a[16][17], b;
becomes, on the same line,
    typedef float a_type[16][17], b_type; COURSE_SHARED(a_type, a); COURSE_SHARED(b_type, b);
(see host/shared_memory.hpp). A typedef takes the declarators of a declaration as they are, so any type will do.
"""

from __future__ import annotations

import re

from course_lib.cuda.reading.kernel_text import KernelText
from course_lib.cuda.reading.shared_declarations import SharedDeclaration
from course_lib.cuda.reading.source import Source

__all__ = ["rewritten", "translation_unit"]


def translation_unit(kernel: KernelText) -> str:
    """Our header, the rewritten source, and the kernel's table (host/entry.hpp)."""
    source = kernel.source
    variables = "".join(f'{{"{name}", (void*)&{name}, sizeof({name})}}, ' for name in source.variable_names)
    return f"""#include "cuda_host.hpp"
#line 1 "{source.file}"
{rewritten(source)}
#line 1 "the entry of {kernel.name}"
using course_entry = host::Entry<&{kernel.name}>;
static const host::Global course_globals[] = {{{variables}{{nullptr, nullptr, 0}}}};
COURSE_EXPORT host::SharedUse course_shared_use;
host::SharedUse course_shared_use = {{0, 0}};
COURSE_EXPORT const host::Kernel course_kernel;
const host::Kernel course_kernel = {{
    course_entry::thread, course_entry::block, course_entry::parameters, course_entry::count,
    course_globals, sizeof(course_globals) / sizeof(course_globals[0]) - 1}};
"""


def rewritten(source: Source) -> str:
    """The text with shared memory and device variables in the host's words; line numbers stay."""
    edits = [
        (each.position, each.position, f" {'COURSE_CONSTANT' if each.is_const else 'COURSE_VARIABLE'} ")
        for each in source.variables
    ]
    for each in source.shared:
        lines = "\n" * source.text.count("\n", each.start, each.stop)
        edits.append((each.start, each.stop, f" {_in_host_words(each)}{lines}"))
    pieces, done = [], 0
    for start, stop, text in sorted(edits):
        pieces += [source.text[done:start], text]
        done = stop
    return "".join([*pieces, source.text[done:]])


def _in_host_words(declaration: SharedDeclaration) -> str:
    macro = "COURSE_DYNAMIC_SHARED" if declaration.is_dynamic else "COURSE_SHARED"
    types = ", ".join(f"{before}{name}_type{after}" for before, name, after in declaration.declarators)
    types = re.sub(r"\balignas\b", "__align__", types)  # which a typedef takes
    uses = " ".join(f"{macro}({name}_type, {name});" for _, name, _ in declaration.declarators)
    return f"typedef {types}; {uses}"
