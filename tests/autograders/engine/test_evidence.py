"""Evidence comes back exactly, whatever a student's strings hold, and a damaged file is never taken for a result."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.records.evidence import DamagedEvidence, from_json, to_json
from autograders.engine.verdict import CaseResult, CellRun, NotebookResult, QuestionResult, SubmissionResult, Verdict
from tests.examples import examples

any_text = st.text(st.characters(), max_size=8)  # with lone surrogates, which a submitted file can bring
finite = st.floats(allow_nan=False, allow_infinity=False)
verdicts = st.sampled_from(Verdict)


def tuples(elements):
    return st.lists(elements, max_size=2).map(tuple)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | any_text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(any_text, inner, max_size=2),
    max_leaves=4,
)
cases = st.builds(CaseResult, any_text, verdicts, any_text, finite, finite)
questions = st.builds(QuestionResult, any_text, finite, tuples(cases))
runs = st.builds(CellRun, any_text, verdicts, any_text, tuples(st.binary(max_size=20)), any_text, finite)
words = st.dictionaries(any_text, any_text, max_size=2)
notebooks = st.builds(
    NotebookResult, any_text, tuples(questions), tuples(runs), words, words, tuples(any_text), tuples(any_text)
)
results = st.builds(
    SubmissionResult,
    student=any_text,
    lab=any_text,
    sha256=any_text,
    seed=st.integers(),
    notebooks=tuples(notebooks),
    problems=tuples(any_text),
    seconds=finite,
    started=any_text,
    provenance=st.dictionaries(any_text, json_values, max_size=2),
)


@examples(150)
@given(results)
def test_comes_back_exactly(result):
    assert from_json(to_json(result)) == result


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
def test_refuses_numbers_that_are_not_finite(seconds):
    with pytest.raises(ValueError):
        to_json(SubmissionResult("ada", "lab", "", 0, seconds=seconds))


def test_a_file_cut_anywhere_is_refused():
    content = to_json(
        SubmissionResult("ada", "lab", "00", 0, (NotebookResult("n", (), (CellRun("c", Verdict.DIED),)),))
    )
    for length in range(len(content) - 1):
        with pytest.raises(DamagedEvidence):
            from_json(content[:length])


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("seed", 1.5),
        ("seed", True),
        ("seconds", "1"),
        ("seconds", True),
        ("notebooks", {}),
        ("notebooks", [{"id": "x"}]),
        ("problems", [1]),
        ("format", 2),
        ("provenance", []),
        ("student", None),
    ],
)
def test_a_wrong_type_is_refused_by_name(entry, value):
    record = json.loads(to_json(SubmissionResult("ada", "lab", "00", 0)))
    with pytest.raises(DamagedEvidence, match="format" if entry == "format" else entry):
        from_json(json.dumps({**record, entry: value}).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b'{"format": NaN}', b"[" * 100_000])
def test_what_is_no_record_is_refused(content):
    with pytest.raises(DamagedEvidence):
        from_json(content)
