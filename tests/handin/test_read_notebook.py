"""Any bytes are read or refused with a sentence; what is read is what the file says."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib.handin.bounded_json import RefusedJson, parse_json
from course_lib.handin.limits import HandInLimits
from course_lib.handin.read_notebook import ReadNotebook, read_notebook
from course_lib.handin.text_decoding import decode

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
ENTRY = st.dictionaries(st.sampled_from(["source", "input", "cell_type", "metadata", "id", "nbgrader"]), JSON)


def read(cells, limits=None, **entries):
    value = {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}} | entries
    return read_notebook(json.dumps(value).encode(), limits)


@given(st.binary(max_size=300))
def test_any_bytes(raw):
    assert isinstance(read_notebook(raw), ReadNotebook)


@given(st.lists(ENTRY | JSON, max_size=5), JSON, JSON)
def test_any_json(cells, metadata, minor):
    got = read(cells, metadata=metadata, nbformat_minor=minor)
    assert len(got.cells) + len(got.problems) >= len(cells)
    for cell in got.cells:
        cell.source.encode()
        assert cell.kind in ("code", "markdown", "raw")


@given(JSON)
@example(-(10**17))  # 18 digits and a sign
def test_bounded_json_reads_what_the_standard_library_reads(value):
    assert parse_json(json.dumps(value), HandInLimits()).value == value


@given(st.text(max_size=60))
def test_bounded_json_refuses_what_the_standard_library_refuses(text):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(RefusedJson):
            parse_json(text, HandInLimits())
    else:
        got = parse_json(text, HandInLimits()).value
        assert got == expected or got is None


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]))
def test_decoding(text, encoding):
    assert decode((f'["{text}"]').encode(encoding, "replace")).text == f'["{text}"]'.encode(encoding, "replace").decode(
        encoding
    )


def test_depth_and_values_are_counted_outside_strings():
    limits = HandInLimits(json_depth=3, json_values=5)
    assert parse_json('[[["[[[[,,,,,,\\"[[["]]]', limits).value == [[['[[[[,,,,,,"[[[']]]
    for text, word in (("[[[[]]]]", "deep"), ("[1,1,1,1,1,1]", "values"), ('{"a":[{},{},{},{}]}', "values")):
        with pytest.raises(RefusedJson, match=word):
            parse_json(text, limits)


def test_equal_keys_and_constants_are_told():
    got = read_notebook(b'{"cells": [{"source": "a", "source": "b", "cell_type": "code"}], "metadata": NaN}')
    assert [cell.source for cell in got.cells] == ["b"]
    assert "twice" in got.repairs[0] and "NaN" in got.repairs[1]


def test_cells_beyond_the_limits_are_told():
    got = read(
        [{"cell_type": "code", "source": "é" * 60}] + [{"source": "a"}] * 9, HandInLimits(cells=5, cell_bytes=100)
    )
    assert len(got.cells) == 4
    assert "only the first 5" in got.problems[0] and "Cell 1 was not read" in got.problems[1]


def test_the_whole_file_has_a_limit():
    assert "at most" in read_notebook(b" " * 99 + b"{}", HandInLimits(file_bytes=100)).problems[0]


def test_format_3():
    old = {
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["a\n", "b"]}, {"cell_type": "heading", "source": "c"}]}
        ]
    }
    got = read_notebook(json.dumps(old | {"nbformat": 3, "nbformat_minor": 0, "metadata": {}}).encode())
    assert [(cell.kind, cell.source) for cell in got.cells] == [("code", "a\nb"), ("markdown", "c")]
    assert "3.0" in got.repairs[0]
