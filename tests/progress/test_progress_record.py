"""What is recorded of a check, and where; what happens when that goes wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.progress import attempts as attempts_module
from course_lib.progress import record_file
from course_lib.progress.attempts import read_record, record_answer, record_check
from tests.progress.small_course import check_line, outcomes

ROOT = Path(__file__).resolve().parents[2]


class TestRecording:
    def test_outcomes(self, in_kernel):
        record_check("add", None)
        record_check("add", ValueError("no"))
        record_check("add", NotImplementedError())
        record_answer("words", answered=True)
        record_answer("words", answered=False)
        assert outcomes(in_kernel) == [
            ("add", "passed"),
            ("add", "failed"),
            ("add", "unwritten"),
            ("words", "answered"),
            ("words", "unwritten"),
        ]
        first = read_record(in_kernel).attempts[0]
        assert first.notebook == "1a_sums"
        assert abs((datetime.now(UTC) - first.when).total_seconds()) < 60

    def test_git_does_not_see_it(self, in_kernel):
        record_check("add", None)
        assert (in_kernel / ".progress" / ".gitignore").read_text() == "*\n"

    def test_a_name_the_cell_itself_misses_is_no_attempt(self, in_kernel):
        """After a restart: the exercise's cell was not run. A NameError inside the answer counts."""
        for code, expected in (("carry(1)", []), ("def carry(x):\n    return y\ncarry(1)", [("carry", "failed")])):
            try:
                exec(compile(code, "cell", "exec"), {})
            except NameError as error:
                record_check("carry", error)
            assert outcomes(in_kernel) == expected

    def test_nothing_without_a_kernel(self, course, monkeypatch):
        monkeypatch.chdir(course / "labs")
        record_check("add", None)
        assert not (course / ".progress").exists()

    @pytest.mark.parametrize("place", ["", "labs2", "solutions"])
    def test_nothing_outside_labs(self, course, monkeypatch, place):
        (course / place).mkdir(exist_ok=True)
        monkeypatch.chdir(course / place)
        with a_kernel(monkeypatch):
            assert attempts_module._course_of_this_kernel() is None

    @pytest.mark.parametrize(("switch", "kept"), [(None, True), ("on", True), ("off", False), ("0", False)])
    def test_the_switch(self, course, monkeypatch, switch, kept):
        monkeypatch.chdir(course / "labs" / "lab1_sums")
        if switch is None:
            monkeypatch.delenv("COURSE_PROGRESS", raising=False)
        else:
            monkeypatch.setenv("COURSE_PROGRESS", switch)
        with a_kernel(monkeypatch):
            assert (attempts_module._course_of_this_kernel() == course.resolve()) == kept


def a_kernel(monkeypatch):
    import IPython

    class Shell:
        kernel = object()

    context = monkeypatch.context()
    patch = context.__enter__()
    patch.setattr(IPython, "get_ipython", Shell)

    class Closing:
        def __enter__(self):
            return None

        def __exit__(self, *error):
            return context.__exit__(*error)

    return Closing()


class TestTrouble:
    """Recording never raises, prints nothing, and loses nothing that it need not."""

    def test_a_course_that_cannot_be_written_is_recorded_elsewhere(self, in_kernel, state):
        (in_kernel / ".progress").write_text("a file where a folder should be")
        record_check("add", None)
        assert outcomes(in_kernel) == [("add", "passed")]
        assert len(list(state.rglob("checks.jsonl"))) == 1

    def test_nowhere_to_write(self, in_kernel, state, capfd):
        (in_kernel / ".progress").write_text("")
        state.write_text("")
        record_check("add", None)
        assert capfd.readouterr() == ("", "")
        assert outcomes(in_kernel) == []

    def test_full_disk(self, in_kernel, monkeypatch, capfd):
        def no_space(*arguments):
            raise OSError(28, "No space left on device")

        record_check("add", None)
        with monkeypatch.context() as patch:
            patch.setattr(record_file.os, "write", no_space)
            record_check("carry", None)
        assert capfd.readouterr() == ("", "")
        assert outcomes(in_kernel) == [("add", "passed")]

    def test_a_line_cut_short_spoils_itself_alone(self, in_kernel, monkeypatch):
        real = os.write
        record_check("add", None)
        with monkeypatch.context() as patch:
            patch.setattr(record_file.os, "write", lambda handle, line: real(handle, line[: len(line) // 2]))
            record_check("carry", None)
        record_check("multiply", None)
        assert outcomes(in_kernel) == [("add", "passed"), ("multiply", "passed")]
        assert read_record(in_kernel).unreadable == 1

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
    def test_a_pipe_is_not_waited_for(self, in_kernel):
        (in_kernel / ".progress").mkdir()
        os.mkfifo(in_kernel / ".progress" / "checks.jsonl")
        record_check("add", None)
        assert outcomes(in_kernel) == [("add", "passed")]

    def test_an_endless_loop_does_not_fill_the_disk(self, in_kernel, monkeypatch):
        monkeypatch.setattr(record_file, "LARGEST", 2000)
        for _ in range(100):
            record_check("add", None)
        [path] = record_file.full_files(in_kernel)
        assert path.stat().st_size <= 2000
        assert len(outcomes(in_kernel)) > 10

    @given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"[" * 5000, b'{"exercise": 1}', b"null"]))))
    def test_a_broken_file_is_read_as_far_as_it_goes(self, tmp_path_factory, pieces):
        course = tmp_path_factory.mktemp("broken")
        path = course / ".progress" / "checks.jsonl"
        path.parent.mkdir()
        path.write_bytes(b"\n".join(pieces))
        record_file.append(course, check_line("add"))
        with path.open("ab") as file:
            file.write(b"\n" + b"\n".join(pieces))
        assert [found.exercise for found in read_record(course).attempts] == ["add"]

    @pytest.mark.parametrize(
        "change",
        [{"outcome": "won"}, {"outcome": ["passed"]}, {"when": "noon"}, {"when": 3}, {"when": "2026-01-01T00:00:00"},
         {"exercise": None}, {"notebook": 1}],
    )  # fmt: skip
    def test_a_line_with_a_wrong_entry_is_passed_over(self, course, change):
        record_file.append(course, json.dumps(json.loads(check_line("add")) | change))
        record_file.append(course, check_line("carry"))
        assert outcomes(course) == [("carry", "passed")]
        assert read_record(course).unreadable == 1


def test_kernels_that_write_at_once_lose_nothing(course):
    code = """
import sys
from pathlib import Path
from course_lib.progress.record_file import append
sys.stdin.readline()
for number in range(1500):
    append(Path(sys.argv[1]), f"{sys.argv[2]} {number} " + "x" * (number % 400))
"""
    command = [sys.executable, "-c", code, str(course)]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, cwd=ROOT, text=True)
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(300) for writer in writers] == [0, 0, 0]
    lines = [line.split(" ") for line in record_file.read_lines(course) if line]
    assert len(lines) == 4500
    for name in ("one", "two", "three"):
        own = [(int(number), len(filler)) for writer, number, filler in lines if writer == name]
        assert own == [(number, number % 400) for number in range(1500)]


def test_a_kernel_in_labs_records_and_one_elsewhere_does_not(course):
    from jupyter_client.manager import start_new_kernel

    cell = """
from course_lib import checking, quiz
for value in (1, 2):
    try:
        with checking.check("add"):
            checking.equal(value, 2, "value")
    except checking.CheckFailed:
        pass
quiz.check_answer("words", {"a"}, "ab")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JPY_SESSION_NAME": "lab1_sums/1a_sums.ipynb"}
    for place, expected in (
        (course, []),
        (course / "labs" / "lab1_sums", [("add", "failed"), ("add", "passed"), ("words", "answered")]),
    ):
        manager, client = start_new_kernel(cwd=str(place), env=environment)
        try:
            said = []
            reply = client.execute_interactive(
                cell, timeout=300, output_hook=lambda message, to=said: to.append(message)
            )
            assert reply["content"]["status"] == "ok"
            assert {m["content"]["name"] for m in said if m["msg_type"] == "stream"} == {"stdout"}
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        assert outcomes(course) == expected
    assert {found.notebook for found in read_record(course).attempts} == {"1a_sums"}
    assert stat.S_IMODE((course / ".progress" / "checks.jsonl").stat().st_mode) & 0o022 == 0
