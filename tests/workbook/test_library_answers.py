from __future__ import annotations

from course_lib.workbook.library_answers import answers_in_library

EXERCISE = '''
def scaled_mean(x, y):
    """A task."""
    ### BEGIN SOLUTION
    total = sum(x) / len(x)
    spread = max(y) - min(y)
    return total * spread + 1
    ### END SOLUTION
'''


def library(tmp_path, code):
    folder = tmp_path / "course_lib"
    folder.mkdir()
    (folder / "room.py").write_text(code)
    return folder


def test_same_statements_under_other_names(tmp_path):
    code = '''
class Thing:
    def quite_other(self, values, others):
        """Docs."""
        if values:
            m = sum(values) / len(values)
            s = max(others) - min(others)
            return m * s + 1
        return 0
'''
    assert answers_in_library(EXERCISE, library(tmp_path, code)) == ["course_lib/room.py: quite_other"]


def test_same_name(tmp_path):
    assert answers_in_library(EXERCISE, library(tmp_path, "def scaled_mean(x):\n    return 0\n"))


def test_other_statements_pass(tmp_path):
    code = "def f(x, y):\n    total = sum(x) / len(y)\n    spread = max(y) - min(y)\n    return total * spread + 1\n"
    assert answers_in_library(EXERCISE, library(tmp_path, code)) == []


def test_common_one_liners_pass(tmp_path):
    short = "def ratio(a, b):\n    ### BEGIN SOLUTION\n    return a @ b\n    ### END SOLUTION\n"
    assert answers_in_library(short, library(tmp_path, "def f(x, y):\n    return x @ y\n")) == []
