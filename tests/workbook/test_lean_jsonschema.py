"""Notebooks are validated as ever, without the slow grammar of IRIs."""

from __future__ import annotations

import subprocess
import sys


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_workbook_does_not_load_the_grammar_and_leaves_it_importable():
    code = """
import sys
import course_lib.workbook.build, course_lib.workbook.execute.worker, nbformat, papermill
assert "rfc3987_syntax" not in sys.modules and "lark" not in sys.modules
import rfc3987_syntax
assert rfc3987_syntax.is_valid_syntax("iri", "http://a.b/c")
print("fine")
"""
    assert run_python(code) == "fine"


def test_a_bad_notebook_is_still_refused():
    code = """
import course_lib.workbook, nbformat
try:
    nbformat.validate({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "prose"}]})
except nbformat.ValidationError:
    print("refused")
"""
    assert run_python(code) == "refused"


def test_an_imported_jsonschema_is_left_alone():
    code = "import jsonschema, sys, course_lib.workbook; print('rfc3987_syntax' in sys.modules)"
    assert run_python(code) == "True"
