"""Thousands of malformed files: none crashes or hangs intake or rebuild, none brings an answer that was not in it."""

from __future__ import annotations

import io
import json
import random
import re
import warnings
import zipfile

import pytest

from autograders.engine.intake.take_in import read_submissions
from autograders.engine.repair.rebuild import rebuild
from autograders.engine.submission import Submission
from course_lib.errors import CourseError
from tests.autograders.engine.small_course import ANSWERS, LAB, NOTEBOOKS, SECRET, SUMS, sums, worked

pytestmark = pytest.mark.timeout(300)
HUGE = "@@huge@@"  # stands for a number that json.dumps does not write


def decodings(raw):
    for encoding in (json.detect_encoding(raw), "utf-8-sig", "cp1252", "latin-1"):
        for errors in ("strict", "surrogateescape", "replace"):
            try:
                yield raw.decode(encoding, errors).removeprefix("\ufeff")
            except ValueError:
                continue


def lines_in(raw):
    """Every line of every text in a file, by any decoding: read with the standard library alone."""
    texts = set()
    for text in set(decodings(raw)):
        try:
            waiting = [json.loads(text, object_pairs_hook=lambda pairs: [value for _, value in pairs], parse_int=len)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
                value = "".join(part for part in value if isinstance(part, str))
            if isinstance(value, str):
                texts.add(value)
    plain = "\n".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    return set(re.sub("[\ud800-\udfff\0]", "\ufffd", plain).split("\n"))


def assert_harmless(raw):
    got = rebuild(sums(), raw)
    assert list(got.answers) == list(ANSWERS) and list(got.texts) == ["why"]
    everything = [*got.answers.values(), *got.texts.values(), *(helper.source for helper in got.helpers)]
    everything += [*got.repairs, *got.problems]
    assert all(isinstance(text, str) for text in everything)
    "".join(everything).encode("utf-8")  # no lone surrogates reach a file
    assert "\0" not in "".join(everything)
    assert SECRET not in "".join(everything)
    written = "\n".join([*got.answers.values(), *got.texts.values(), *(helper.source for helper in got.helpers)])
    if written.strip():
        assert set(written.split("\n")) <= lines_in(raw) | {""}
    return got


def flipped(raw, rng):
    data = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(raw, rng):
    return raw[: rng.randrange(len(raw))] if rng.random() < 0.5 else raw[rng.randrange(len(raw)) :]


def spliced(raw, rng):
    """A piece left out, repeated, or put elsewhere."""
    start, end = sorted((rng.randrange(len(raw)), rng.randrange(len(raw))))
    at = rng.randrange(len(raw))
    return rng.choice([raw[:start] + raw[end:], raw[:end] + raw[start:], raw[:at] + raw[start:end] + raw[at:]])


def odd_value(rng):
    deep = []
    for _ in range(rng.choice([10, 70, 300])):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    plain = [None, True, 0, -1, 3.5, 10**17, HUGE, float("nan"), float("inf"), "", "x", "\ud800", "a\0b", [], {}, deep]
    cells = [["a", 3], ["a", "b\n"], {"cells": []}, "add", "twice", "why", "check_add", "%%bash\nls", "x" * 70_000]
    code = ["-" * 5000 + "1", "1+" * 5000 + "1", "lambda:" * 500 + "1", "(" * 300, "def add(" * 50, "from os import *"]
    return rng.choice([*plain, *cells, *code])


def nodes(value):
    """(container, key) of every value of a JSON tree."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        keys = container.keys() if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], (dict, list)):
                waiting.append(container[key])


def twisted(notebook, rng):
    """Types swapped, keys renamed, cells shuffled and repeated in the JSON tree."""
    for _ in range(rng.choice([1, 2, 3, 10])):
        container, key = rng.choice(list(nodes(notebook)))
        action = rng.randrange(5)
        if action <= 1:
            container[key] = odd_value(rng)
        elif action == 2:
            other, other_key = rng.choice(list(nodes(notebook)))
            container[key] = json.loads(json.dumps(other[other_key]))
        elif action == 3 and isinstance(container, dict):
            container[rng.choice(["source", "id", "cell_type", "metadata", "nbgrader", "x"])] = container.pop(key)
        elif isinstance(container, list):
            container.extend(json.loads(json.dumps(container[key : key + 3])))
            rng.shuffle(container)
        else:
            del container[key]
        if not notebook or len(json.dumps(notebook)) > 100_000:
            break
    raw = json.dumps(notebook)
    raw = raw.replace(json.dumps(HUGE), rng.choice(["9" * 5000, "1e999", "-" + "7" * 30]))
    if rng.random() < 0.3:  # keys twice in one object
        raw = raw.replace('"source":', '"source": "other = 1", "source":', rng.randrange(1, 4))
    return raw.encode()


def submitted():
    notebook = worked()
    for entry in notebook["cells"][::2]:
        entry["source"] = entry["source"].splitlines(keepends=True)
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": "import os\nfür = os", "outputs": []})
    return notebook


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mutate", [flipped, cut, spliced])
def test_bytes_of_notebooks(mutate, seed):
    rng = random.Random(f"{mutate.__name__} {seed}")
    raw = json.dumps(submitted(), ensure_ascii=rng.random() < 0.5).encode()
    for _ in range(250):
        assert_harmless(mutate(raw, rng))


@pytest.mark.parametrize("seed", range(8))
def test_trees_of_notebooks(seed):
    rng = random.Random(f"tree {seed}")
    whole = 0
    for _ in range(150):
        raw = twisted(submitted(), rng)
        whole += assert_harmless(raw).answers == ANSWERS
    assert whole > 15  # the mutations leave enough standing to reach what comes after reading


def test_the_oracle_can_fail():
    raw = json.dumps(worked()).encode()
    assert "def add(a, b):" in lines_in(raw)
    assert "    return a + b  # secret" not in lines_in(raw)


def zipped(files):
    data = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # equal names are wanted
        for name, content in files:
            archive.writestr(name, content)
    return data.getvalue()


def lms_zip(*inner):
    raw = json.dumps(worked()).encode()
    return zipped(
        [
            ("assignment_1_export/submission_metadata.yml", "submission_1:\n  :submitters:\n  - :sid: '7'\n"),
            (f"assignment_1_export/submission_1/{SUMS}.ipynb", raw),
            (f"assignment_1_export/submission_2/{SUMS} (1).ipynb", raw),
            *((f"assignment_1_export/submission_{3 + index}/work.zip", data) for index, data in enumerate(inner)),
        ]
    )


def assert_submissions(path):
    try:
        found = list(read_submissions(path, LAB, NOTEBOOKS))
    except CourseError:
        return []
    for submission in found:
        assert isinstance(submission, Submission)
        assert submission.student and "/" not in submission.student and not submission.student.startswith((".", "-"))
        assert set(submission.files) <= set(NOTEBOOKS)
        "".join(submission.problems).encode()
    assert len({submission.student.casefold() for submission in found}) == len(found)
    return found


@pytest.mark.parametrize("mutate", [flipped, cut, spliced])
def test_bytes_of_the_class_zip(mutate, tmp_path):
    rng = random.Random(mutate.__name__)
    good = lms_zip(zipped([(f"{SUMS}.ipynb", "{}")]))
    path = tmp_path / "class.zip"
    for _ in range(300):
        path.write_bytes(mutate(good, rng))
        assert_submissions(path)


@pytest.mark.parametrize("mutate", [flipped, cut, spliced])
def test_a_students_broken_zip_costs_no_other_student(mutate, tmp_path):
    rng = random.Random(f"inner {mutate.__name__}")
    good = zipped([(f"my work/{SUMS}.ipynb", json.dumps(worked())), ("a.txt", "a"), ("../b.ipynb", "{}")])
    path = tmp_path / "class.zip"
    for _ in range(15):
        path.write_bytes(lms_zip(*(mutate(good, rng) for _ in range(20))))
        found = {submission.student: submission for submission in assert_submissions(path)}
        assert len(found) == 22
        assert found["7"].files[SUMS] == found["submission_2"].files[SUMS] == json.dumps(worked()).encode()
        assert all(submission.files or submission.problems for submission in found.values())
