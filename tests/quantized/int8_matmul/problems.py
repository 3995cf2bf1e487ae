"""Calls of int8_matmul in every form, with the NumPy oracle beside them; bit for bit."""

from __future__ import annotations

from tests.quantized.int8_matmul.oracle import assert_exact, problem
from tests.rooms.problem import Problem

# an output type, which operands have zero points, one scale or one for each row, a bias
FORMS = [
    {},
    {"zeros": "aw", "per": "row", "bias": "int"},
    {"out": "int8", "zeros": "aw", "per": "row", "bias": "float"},
    {"out": "float32", "zeros": "w", "bias": "float"},
    {"out": "float16", "per": "row"},
    {"out": "bfloat16", "per": "row", "bias": "int"},
]
# M, N, K: nothing, one, primes, the edges of tiles (64, and 64 bytes of K), rows that do and do not start at 16 bytes
SHAPES = [
    *((0, 3, 5), (3, 0, 5), (3, 4, 0), (1, 1, 1), (3, 5, 7), (16, 8, 32), (64, 64, 64)),
    *((65, 63, 65), (17, 127, 48), (67, 13, 149), (2, 130, 16)),
]
CLOSELY = [((66, 70, 96), FORMS[2]), ((70, 66, 101), FORMS[2]), ((9, 12, 33), FORMS[3])]


def problems():
    everywhere = [_problem(shape, form) for form in FORMS for shape in SHAPES]
    return everywhere + [_problem(shape, form, closely=True) for shape, form in CLOSELY]


def _problem(shape, form, closely=False):
    p = problem(*shape, **form)
    call = p.call()
    for name in ("a_scale", "w_scale", "bias"):
        if call["out_dtype"].is_floating_point and name in call and call[name].is_floating_point():
            call[name].requires_grad_()
    name = " ".join([" x ".join(map(str, shape)), *form.values()])
    args = (call.pop("a"), call.pop("w"))
    return Problem(name, args, lambda result: assert_exact(result, p), named=call, closely=closely)
