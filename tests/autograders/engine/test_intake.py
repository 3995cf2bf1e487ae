"""Folders and zips as staff get them: every student found once, every file that may be read, nothing else."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
import zipfile

import pytest

from autograders.engine.intake.take_in import IntakeLimits, read_submissions
from course_lib.errors import CourseError
from tests.autograders.engine.small_course import LAB, NOTEBOOKS, SUMS, WORDS, student, worked
from tests.autograders.engine.test_intake_fuzz import zipped

WORK = json.dumps(worked()).encode()
OTHER = json.dumps(student(WORDS)).encode()
CELLS = {SUMS: {"add", "twice", "check_add"}, WORDS: {"join", "check_join"}}


def read(path, **limits):
    found = list(read_submissions(path, LAB, NOTEBOOKS, IntakeLimits(**limits), cells=CELLS))
    assert len({submission.student for submission in found}) == len(found)
    return {submission.student: submission for submission in found}


def put(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture(params=["folder", "zip"])
def given(request, tmp_path):
    """Puts files into a folder or a zip: what intake makes of the two must be the same."""

    def give(files):
        if request.param == "folder":
            return put(tmp_path / "class", files)
        path = tmp_path / "class.zip"
        path.write_bytes(zipped(files.items()))
        return path

    return give


def test_folders_of_students(given):
    found = read(given({f"alice/{SUMS}.ipynb": WORK, f"alice/{WORDS}.ipynb": OTHER, f"bob/{WORDS}.ipynb": OTHER}))
    assert found["alice"].files == {SUMS: WORK, WORDS: OTHER}
    assert found["alice"].problems == ()
    assert found["alice"].lab == LAB
    assert found["bob"].files == {WORDS: OTHER}
    assert found["bob"].problems == (f"There is no file for {SUMS}.",)


@pytest.mark.parametrize("root", ["", "submitted/"])
def test_nbgraders_layout(given, root):
    found = read(
        given(
            {
                f"{root}alice/{LAB}/{SUMS}.ipynb": WORK,
                f"{root}alice/{LAB}/timestamp.txt": b"2026-01-01",
                f"{root}alice/lab2_pruning/{SUMS}.ipynb": OTHER,
                f"{root}bob/lab2_pruning/{SUMS}.ipynb": OTHER,
                f"{root}carl/my own folder/{SUMS}.ipynb": WORK,
            }
        )
    )
    assert set(found) == {"alice", "carl"}
    assert found["alice"].files == found["carl"].files == {SUMS: WORK}


def test_canvas(given):
    found = read(
        given(
            {
                f"doejane_101_9001_{SUMS}.ipynb": WORK,
                f"doejane_101_9002_{WORDS}-1.ipynb": OTHER,
                f"roejim_LATE_102_9003_{SUMS}.ipynb": WORK,
                f"doejane_103_9004_{SUMS}.ipynb": WORK,
                f"anon_aB3xZ_9005_{SUMS}.ipynb": WORK,
                "poeann_104_9006_lab.zip": zipped([(f"lab/{SUMS}.ipynb", WORK), (f"__MACOSX/._{SUMS}.ipynb", b"x")]),
            }
        )
    )
    assert set(found) == {"doejane_101", "doejane_103", "roejim_102", "anon_aB3xZ", "poeann_104"}
    assert found["doejane_101"].files == {SUMS: WORK, WORDS: OTHER}
    assert all(submission.files[SUMS] == WORK for submission in found.values())


def test_canvas_counts_the_last_upload(given):
    newer = WORK.replace(b"b + a", b"a + b")
    found = read(given({f"doe_1_20_{SUMS}-1.ipynb": newer, f"doe_1_9_{SUMS}-2.ipynb": WORK}))
    assert found["doe_1"].files == {SUMS: newer}
    assert "Several different files" in found["doe_1"].problems[0]


def test_moodle(given):
    found = read(
        given(
            {
                f"Jane Doe_1000001_assignsubmission_file_/{SUMS}.ipynb": WORK,
                f"Jane Doe_1000002_assignsubmission_file_/sub/{SUMS}.ipynb": WORK,
                "Jane Doe_1000002_assignsubmission_onlinetext_/onlinetext.html": b"<p>hi",
                f"Jürgen Ödön_1000003_assignsubmission_file_{SUMS}.ipynb": WORK,
                f"Team 7_12_assignsubmission_file/{SUMS}.ipynb": WORK,
            }
        )
    )
    assert set(found) == {"Jane_Doe_1000001", "Jane_Doe_1000002", "Jürgen_Ödön_1000003", "Team_7_12"}
    assert all(submission.files == {SUMS: WORK} for submission in found.values())


def test_gradescope(given):
    roster = b"""\
submission_11:
  :submitters:
  - :name: Jane Doe
    :sid: '777'
    :email: jane@school.edu
  - :name: Jim Roe
    :sid:
    :email: jim@school.edu
  :created_at: 2026-01-01 00:00:00.000000000 Z
submission_12:
  :submitters: []
"""
    files = {
        "submission_metadata.yml": roster,
        f"submission_11/{SUMS}.ipynb": WORK,
        f"submission_12/{SUMS}.ipynb": WORK,
    }
    # a student's own file of that name says nothing
    files["submission_12/submission_metadata.yml"] = b"submission_12:\n  :submitters:\n  - :sid: '777'\n"
    found = read(given({f"assignment_9_export/{name}": content for name, content in files.items()}))
    assert set(found) == {"777", "jim@school.edu", "submission_12"}
    assert all(submission.files == {SUMS: WORK} for submission in found.values())


ROSTER = b"submission_1:\n  :submitters:\n  - :sid: victim\n1a_sums.ipynb:\n  :submitters:\n  - :sid: victim\n"


@pytest.mark.parametrize(
    ("files", "student"),
    [
        ([f"alice/bob/{SUMS}.ipynb"], "alice"),
        ([f"alice/bob/{SUMS}.ipynb", f"alice/carol/{WORDS}.ipynb"], "alice"),
        ([f"alice/bob/{LAB}/{SUMS}.ipynb"], "alice"),
        ([f"alice/bob_101_9001_{SUMS}.ipynb"], "alice"),
        ([f"alice/bob_1_2_{SUMS}.ipynb", f"alice/carol_3_4_{WORDS}.ipynb"], "alice"),
        ([f"alice/submission_1/{SUMS}.ipynb", "alice/submission_metadata.yml"], "alice"),
        ([f"alice/Bob_7_assignsubmission_file_/{SUMS}.ipynb"], "alice"),
        ([f"alice/submitted/bob/{SUMS}.ipynb"], "alice"),
        ([f"submission_1/{SUMS}.ipynb", "submission_1/submission_metadata.yml"], "submission_1"),
        ([f"submission_1/bob/{SUMS}.ipynb", "submission_1/submission_metadata.yml"], "submission_1"),
        ([f"submissions/submission_1/bob/{SUMS}.ipynb"], "submission_1"),
        ([f"class/alice/{SUMS}.ipynb", f"class/{WORDS}.ipynb"], "class"),
        ([f"{SUMS}.ipynb", "submission_metadata.yml"], "class"),
    ],
)
def test_a_student_alone_does_not_choose_whose_the_work_is(given, files, student):
    found = read(given({name: ROSTER if name.endswith(".yml") else WORK for name in files}))
    assert set(found) == {student}
    assert found[student].files[SUMS] == WORK


@pytest.mark.parametrize("root", ["", "class/", "submissions/", "Submitted/", "assignment_9_export/"])
def test_a_folder_around_a_class(given, root):
    folders = [f"alice/{SUMS}", f"bob/sub/{SUMS}", f"Jane Doe_7_assignsubmission_file_/{SUMS}"]
    found = read(given({f"{root}{name}.ipynb": WORK for name in folders}))
    assert set(found) == {"alice", "bob", "Jane_Doe_7"}


def test_a_zip_that_was_downloaded_twice(tmp_path):
    path = tmp_path / "class (1).zip"
    with zipfile.ZipFile(path, "w") as archive:
        for student in ("alice", "bob"):
            archive.writestr(f"class/{student}/{SUMS}.ipynb", WORK)
    assert {entry.student for entry in read_submissions(path, LAB, [SUMS, WORDS], cells=CELLS)} == {"alice", "bob"}


@pytest.mark.parametrize("root", ["class/", "submissions/"])
def test_a_folder_around_canvas_files(given, root):
    found = read(given({f"{root}doejane_101_9001_{SUMS}.ipynb": WORK, f"{root}roejim_102_9002_{SUMS}.ipynb": WORK}))
    assert set(found) == {"doejane_101", "roejim_102"}


def test_one_students_files_alone(given):
    [submission] = read(given({f"{SUMS}.ipynb": WORK, f"{WORDS}.ipynb": OTHER})).values()
    assert submission.student == "class"
    assert submission.files == {SUMS: WORK, WORDS: OTHER}


def test_what_editors_and_systems_leave_is_not_work(given):
    found = read(
        given(
            {
                f"alice/{SUMS}.ipynb": WORK,
                f"alice/.ipynb_checkpoints/{SUMS}-checkpoint.ipynb": OTHER,
                "alice/.DS_Store": b"x",
                f"__MACOSX/alice/._{SUMS}.ipynb": b"x",
                f".ipynb_checkpoints/{SUMS}.ipynb": OTHER,
            }
        )
    )
    assert set(found) == {"alice"}
    assert found["alice"].files == {SUMS: WORK}


def test_no_notebook(given):
    [submission] = read(given({"alice/report.pdf": b"%PDF", "alice/notes.txt": b""})).values()
    assert submission.files == {}
    assert submission.problems == (f"No notebook of {LAB} was found among 2 files.",)


def test_an_unreadable_notebook_is_handed_on(given):
    """Rebuild says what is wrong with it, and its hash stands in the evidence."""
    assert read(given({f"alice/{SUMS}.ipynb": b"{"}))["alice"].files == {SUMS: b"{"}


def test_limits(given):
    path = given({f"alice/{SUMS}.ipynb": WORK, f"bob/{SUMS}.ipynb": WORK + b" " * 30_000})
    found = read(path, file_bytes=len(WORK) + 100)
    assert found["alice"].files == {SUMS: WORK}
    assert found["bob"].files == {}
    assert "at most" in found["bob"].problems[0]
    found = read(path, total_bytes=len(WORK) + 100)
    assert (len(found["alice"].files), len(found["bob"].files)) == (1, 0)
    with pytest.raises(CourseError, match="more than the 1"):
        read(path, submissions=1)
    with pytest.raises(CourseError, match="more than 1"):
        read(path, entries=1)


def test_files_of_one_submission_are_counted(given):
    files = {f"alice/{index:03}.txt": b"" for index in range(30)} | {f"alice/{SUMS}.ipynb": WORK}
    found = read(given(files | {f"bob/{SUMS}.ipynb": WORK}), files=10)
    assert "Only the first 10 of 31" in " ".join(found["alice"].problems)
    assert found["bob"].problems == (f"There is no file for {WORDS}.",)


def test_files_inside_zips_are_counted_too(given):
    full = zipped((f"{number}.txt", "") for number in range(6))
    last = zipped([(f"{SUMS}.ipynb", WORK)])
    path = given({f"alice/{index}.zip": full for index in range(5)} | {"alice/9.zip": last, "bob/9.zip": last})
    found = read(path, files=36)
    assert found["alice"].files == {}
    assert "Only the first 36 files were looked at, those inside zips included." in found["alice"].problems
    assert found["bob"].files == read(path, files=37)["alice"].files == {SUMS: WORK}
    assert read(path, files=37)["alice"].problems == found["bob"].problems


def test_zips_of_files_that_do_not_count_are_not_opened_without_end(given):
    hidden = zipped([(".hidden", "")])
    path = given(
        {f"alice/{index:02}.zip": hidden for index in range(50)} | {"alice/99.zip": zipped([(f"{SUMS}.ipynb", WORK)])}
    )
    found = read(path)
    assert found["alice"].files == {}
    assert "only the first 50 zips" in found["alice"].problems[0]


def test_paths_that_staff_mistype(tmp_path):
    with pytest.raises(CourseError, match="neither a folder nor a zip"):
        read_submissions(tmp_path / "none", LAB, NOTEBOOKS)
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(CourseError, match="not a zip"):
        read_submissions(tmp_path / "x.zip", LAB, NOTEBOOKS)
    (tmp_path / "empty").mkdir()
    assert read(tmp_path / "empty") == {}


def test_names_of_students(given):
    found = read(
        given(
            {
                f"-rf/{SUMS}.ipynb": WORK,
                f"..hidden/{SUMS}.ipynb": WORK,
                f"Ann Lee/{SUMS}.ipynb": WORK,
                f"Ann_Lee/{SUMS}.ipynb": WORK,
                f"con/{SUMS}.ipynb": WORK,
                f"a;b`c$(d)/{SUMS}.ipynb": WORK,
                f"\u202eevil\u200b/{SUMS}.ipynb": WORK,
                f"{'x' * 200}/{SUMS}.ipynb": WORK,
            }
        )
    )
    assert len(found) == 8
    for name, submission in found.items():
        assert submission.files == {SUMS: WORK}
        assert name[0].isalnum() and len(name.encode()) <= 87
        assert all(sign.isalnum() or sign in "_.@-" for sign in name)
    assert {"rf", "hidden", "Ann_Lee", "a_b_c_d", "evil"} <= set(found)


class TestFolder:
    def test_links_and_devices_are_refused(self, tmp_path):
        secret = put(tmp_path / "elsewhere", {f"{SUMS}.ipynb": OTHER})
        root = put(tmp_path / "class", {f"bob/{SUMS}.ipynb": WORK})
        (root / "alice").mkdir()
        (root / "alice" / f"{SUMS}.ipynb").symlink_to(secret / f"{SUMS}.ipynb")
        os.mkfifo(root / "alice" / f"{WORDS}.ipynb")
        (root / "carl").symlink_to(secret)
        found = read(root)
        assert set(found) == {"alice", "bob", "carl"}
        assert found["alice"].files == found["carl"].files == {}
        assert "is a link" in " ".join(found["alice"].problems)
        assert "is not a regular file" in " ".join(found["alice"].problems)
        assert "is a link" in " ".join(found["carl"].problems)

    def test_a_file_that_becomes_a_link_after_it_was_listed(self, tmp_path):
        root = put(tmp_path / "class", {f"alice/{SUMS}.ipynb": WORK})
        submissions = read_submissions(root, LAB, NOTEBOOKS, cells=CELLS)
        (root / "alice" / f"{SUMS}.ipynb").unlink()
        (root / "alice" / f"{SUMS}.ipynb").symlink_to("/etc/hostname")
        [submission] = submissions
        assert submission.files == {}
        assert "cannot be opened" in submission.problems[0]

    def test_deep_folders(self, tmp_path):
        root = put(tmp_path / "class", {f"alice/{'d/' * 60}{SUMS}.ipynb": WORK, f"bob/{SUMS}.ipynb": WORK})
        found = read(root)
        assert "too many folders deep" in found["alice"].problems[0]
        assert found["bob"].files == {SUMS: WORK}

    def test_a_folder_with_an_undecodable_name(self, tmp_path):
        root = put(tmp_path / "class", {f"bob/{SUMS}.ipynb": WORK})
        put(root / os.fsdecode(b"caf\xe9"), {f"{SUMS}.ipynb": WORK})
        found = read(root)
        assert len(found) == 2
        assert all(submission.files == {SUMS: WORK} and submission.student.encode() for submission in found.values())


def member(name, *, mode=stat.S_IFREG | 0o644, flags=0):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = mode << 16
    info.flag_bits |= flags
    return info


class TestStudentsZip:
    """A zip that a student made, inside the LMS's."""

    def submission(self, tmp_path, inner, **limits):
        path = tmp_path / "class.zip"
        path.write_bytes(zipped([("doe_1_2_work.zip", inner), (f"roe_2_3_{SUMS}.ipynb", WORK)]))
        found = read(path, **limits)
        assert found["roe_2"].files == {SUMS: WORK}
        return found["doe_1"]

    def test_folders_inside(self, tmp_path):
        got = self.submission(tmp_path, zipped([(f"a/b/{SUMS}.ipynb", WORK), (f"a/{WORDS}.ipynb", OTHER)]))
        assert got.files == {SUMS: WORK, WORDS: OTHER}
        assert got.problems == ()

    @pytest.mark.parametrize(
        ("name", "word"),
        [(f"../../x/{SUMS}.ipynb", "leaves"), (f"/etc/{SUMS}.ipynb", "leaves"), (f"C:\\{SUMS}.ipynb", "leaves")],
    )
    def test_paths(self, tmp_path, name, word):
        got = self.submission(tmp_path, zipped([(name, WORK)]))
        assert got.files == {}
        assert word in got.problems[0]

    def test_links(self, tmp_path):
        got = self.submission(tmp_path, zipped([(member(f"{SUMS}.ipynb", mode=stat.S_IFLNK | 0o777), "/etc/passwd")]))
        assert got.files == {}
        assert "is a link" in got.problems[0]

    def test_encrypted(self, tmp_path):
        data = bytearray(zipped([(f"{SUMS}.ipynb", WORK)]))
        at = data.rfind(b"PK\1\2")
        data[at + 8] |= 1
        got = self.submission(tmp_path, bytes(data))
        assert "is encrypted" in got.problems[0]

    def test_zip_in_a_zip_in_a_zip(self, tmp_path):
        got = self.submission(
            tmp_path, zipped([("more.zip", zipped([(f"{SUMS}.ipynb", WORK)])), (f"{SUMS}.ipynb", WORK)])
        )
        assert got.files == {SUMS: WORK}
        assert "zip inside a zip" in got.problems[0]

    def test_other_archives(self, tmp_path):
        got = self.submission(tmp_path, b"Rar!\x1a\7\0" + bytes(100))
        assert "another kind of archive" in got.problems[0]

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_compressions(self, tmp_path, method):
        info = member(f"{SUMS}.ipynb")
        info.compress_type = method
        path = tmp_path / "inner.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(info, WORK, compress_type=method)
        assert "compressed in a way" in self.submission(tmp_path, path.read_bytes()).problems[0]

    @pytest.mark.parametrize("lie", [False, True], ids=["as declared", "declared small"])
    def test_bombs_stay_small_in_memory(self, tmp_path, lie):
        data = bytearray(zipped([(f"{SUMS}.ipynb", bytes(60_000_000))]))
        if lie:
            at = data.rfind(b"PK\1\2")
            data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
        tracemalloc.start()
        got = self.submission(tmp_path, bytes(data), file_bytes=2**20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert got.files == {}
        assert len(got.problems) == 2
        assert peak < 20_000_000

    def test_many_entries_are_not_even_listed(self, tmp_path):
        inner = zipped([(f"{number}.txt", "") for number in range(20_000)])
        assert "more than 100 entries" in self.submission(tmp_path, inner, files=100).problems[0]

    def test_names_twice(self, tmp_path):
        got = self.submission(tmp_path, zipped([(f"{SUMS}.ipynb", WORK), (f"{SUMS}.ipynb", WORK + b" ")]))
        assert got.files[SUMS] in (WORK, WORK + b" ")
        assert "Several different files" in got.problems[0]

    def test_total_of_a_submission(self, tmp_path):
        inner = zipped([(f"{number}.ipynb", os.urandom(1000)) for number in range(50)])
        got = self.submission(tmp_path, inner, submission_bytes=2 * len(WORK) + 60_000)
        assert any("a submission has at most" in sentence for sentence in got.problems)


def test_memory_does_not_grow_with_the_class(tmp_path):
    body = b" " * 1_000_000
    path = tmp_path / "class.zip"
    path.write_bytes(zipped([(f"s{number}/{SUMS}.ipynb", WORK + body) for number in range(40)]))
    tracemalloc.start()
    count = sum(1 for _ in read_submissions(path, LAB, NOTEBOOKS, cells=CELLS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40
    assert peak < 12_000_000
