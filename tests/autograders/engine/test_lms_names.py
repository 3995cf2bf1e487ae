"""File names as LMSs write them, and names of students that no file system stumbles over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograders.engine.intake.gradescope_roster import submitters
from autograders.engine.intake.lms_names import Owned, is_lms_folder, own_name, owner_of
from autograders.engine.intake.student_names import safe_name, safe_names


@pytest.mark.parametrize(
    ("name", "student", "own", "order"),
    [
        ("doejane_12345_678901_1a_sums.ipynb", "doejane_12345", "1a_sums.ipynb", 678901),
        ("doejane_LATE_12345_678901_1a_sums-1.ipynb", "doejane_12345", "1a_sums-1.ipynb", 678901),
        ("doejane_1_2_copy_3_4_x.ipynb", "doejane_1", "copy_3_4_x.ipynb", 2),
        ("प्रिया_12345_678_x.ipynb", "प्रिया_12345", "x.ipynb", 678),  # marks that are no letters
        ("müllerjürgen_1_2_a b.zip", "müllerjürgen_1", "a b.zip", 2),
        ("anon_aB3xZ_678901_1a_sums.ipynb", "anon_aB3xZ", "1a_sums.ipynb", 678901),
        ("LATE_anon_aB3xZ_678901_1a_sums.ipynb", "anon_aB3xZ", "1a_sums.ipynb", 678901),
        ("Jane Doe_1234567_assignsubmission_file_1a_sums.ipynb", "Jane Doe_1234567", "1a_sums.ipynb", 0),
        ("Team A_12_assignsubmission_file_x.zip", "Team A_12", "x.zip", 0),
        ("1a_sums.ipynb", "nobody", "1a_sums.ipynb", 0),
        ("notes_1_2.ipynb", "nobody", "notes_1_2.ipynb", 0),
    ],
)
def test_flat_names(name, student, own, order):
    assert owner_of((name,), "nobody") == Owned(student, (own,), order)
    assert own_name(name) == own


@pytest.mark.parametrize("end", ["", "_"])
def test_moodles_folders(end):
    folder = f"Jane van der Doe_1234567_assignsubmission_file{end}"
    assert is_lms_folder(folder)
    assert owner_of((folder, "a", "b.ipynb"), "") == Owned("Jane van der Doe_1234567", ("a", "b.ipynb"))


def test_a_folder_is_a_student():
    assert is_lms_folder("submission_123") and not is_lms_folder("alice") and not is_lms_folder("submission_x")
    assert owner_of(("alice", "doe_1_2_x.ipynb"), "") == Owned("alice", ("doe_1_2_x.ipynb",))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_every_name_has_an_owner(parts):
    owned = owner_of(tuple(parts), "loose")
    assert owned.student and all(part for part in owned.parts)


@given(st.lists(st.text(st.characters(), max_size=120), unique=True, max_size=12))
def test_safe_names(raw_names):
    names = safe_names(raw_names)
    assert list(names) == raw_names
    assert len({name.casefold() for name in names.values()}) == len(raw_names)
    assert names == {raw: safe_names(reversed(raw_names))[raw] for raw in raw_names}  # whatever the order
    for name in names.values():
        assert name[0].isalnum()
        assert len(name.encode("utf-8")) <= 87
        assert ".." not in name and not set(name) & set("/\\\0:*?\"<>| \n\t;$`'&()")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("alice", "alice"),
        ("ann.lee@school.edu", "ann.lee@school.edu"),
        ("Jane Doe_1234567", "Jane_Doe_1234567"),
        ("../../etc/passwd", "etc_passwd"),
        ("-rf", "rf"),
        ("Zoë", "Zoë"),
        ("a\u200bb\u202e", "ab"),
    ],
)
def test_safe_name(raw, name):
    assert safe_name(raw) == name


def test_students_whose_names_collide():
    names = safe_names(["Alice", "alice", "al ice", "al_ice"])
    assert names["al_ice"] == "al_ice"  # the only one that was safe as it stood
    assert names["al ice"].startswith("al_ice-")
    assert len({name.casefold() for name in names.values()}) == 4


def test_gradescopes_roster():
    roster = b"""\
submission_1:
  :submitters:
  - {':sid': 7, ':name': A}
  - {':email': b@c}
submission_2:
  :submitters:
  - {':sid': '7'}
x: 3
"""
    assert submitters(roster) == {
        "submission_1": ["7_submission_1", "b@c"],
        "submission_2": ["7_submission_2"],
        "x": [],
    }


@pytest.mark.parametrize(
    "raw", [b"", b"a: [", b"[1, 2]", b"\xff\0", b"!!python/object:os.system {}", b"{" * 5000, b"a: &a [*a]"]
)
def test_a_roster_that_is_none(raw):
    assert not any(submitters(raw).values())


@given(st.binary(max_size=200))
def test_any_bytes_as_a_roster(raw):
    assert isinstance(submitters(raw), dict)
