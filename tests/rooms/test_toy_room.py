"""The room that CONTRIBUTING.md prints passes the room test as it stands, and fails by name once a part is gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.rooms.room import ROOT

NAME = "diagonal_matmul"
ROOM = f"course_lib/sparse/{NAME}"
FILE = re.compile(r"`([\w/]+\.\w+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMISE = re.compile(r"^// expect .*\n", re.MULTILINE)
REASON = re.compile(r"^ *no_cpu=.*\n", re.MULTILINE)

# what is taken away: (file, what in it; None for the file itself), the words that name it
PARTS = {
    "op": (f"{ROOM}/op.py", None, "op.py is missing: the function to call"),
    "launch": (f"{ROOM}/launch.py", None, "launch.py is missing: the launch geometry"),
    "reference": (f"{ROOM}/reference.py", None, "reference.py is missing: the plain definition"),
    "kernel": (f"{ROOM}/scale_rows.cu", None, "has no kernel: at least one .cu file"),
    "promise": (
        f"{ROOM}/scale_rows.cu",
        PROMISE,
        "scale_rows.cu has no `// expect` line for sm_75, sm_80, sm_89, sm_90",
    ),
    "reason": (f"{ROOM}/op.py", REASON, "has either cpu.cpp or, in NAME/op.py, no_cpu with the reason"),
    "problems": (f"tests/sparse/{NAME}/problems.py", None, "problems.py is missing: its problems and their oracle"),
    "benchmark": (f"benchmarks/{NAME}.py", None, "benchmarks/NAME.py is missing: its peers"),
}


def printed_files():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {path: content for path, content in FILE.findall(text) if NAME in path}


def write(files, root, name):
    for path, content in files.items():
        target = root / path.replace(NAME, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content.replace(NAME, name), encoding="utf-8")


def without(files, part):
    path, pattern, _ = PARTS[part]
    rest = {each: content for each, content in files.items() if each != path}
    if pattern is not None:
        rest[path], count = pattern.subn("", files[path])
        assert count == 1, path
    return rest


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """(test, room) -> the failure's words, "" for passed; rooms are the printed one and one for each missing part."""
    root = tmp_path_factory.mktemp("tree")
    files = printed_files()
    write(files, root, NAME)
    for part in PARTS:
        write(without(files, part), root, f"without_{part}")
    command = [sys.executable, "-m", "pytest", "tests/rooms/test_rooms.py", "-q", "-p", "no:cacheprovider"]
    command += ["-k", f"{NAME} or no_part", f"--junitxml={root / 'report.xml'}"]
    environment = os.environ | {"COURSE_ROOMS_FROM": str(root)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (root / "report.xml").exists(), run.stdout + run.stderr
    found = {}
    for case in ElementTree.parse(root / "report.xml").iter("testcase"):
        test, _, argument = case.get("name").partition("[")
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        found[test, argument.rstrip("]")] = "" if failure is None else f"{failure.get('message')}\n{failure.text}"
    return found


def test_every_file_of_the_example_is_printed():
    assert set(printed_files()) == {
        *(f"{ROOM}/{name}" for name in ("__init__.py", "op.py", "launch.py", "reference.py", "scale_rows.cu")),
        f"tests/sparse/{NAME}/problems.py",
        f"benchmarks/{NAME}.py",
    }


@pytest.mark.parametrize("path", printed_files())
def test_what_is_printed_is_formatted_and_lints(path):
    if path.endswith(".py"):
        # no room of this name is on disk, so imports of it would sort among the foreign ones
        for check in (["format", "--diff"], ["check", "--ignore=I001"]):
            ruff = [sys.executable, "-m", "ruff", *check, f"--stdin-filename={path}", "-"]
            run = subprocess.run(
                ruff, input=printed_files()[path], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stdout + run.stderr


def test_the_printed_room_passes_at_once(outcomes):
    of_it = {test: words for (test, room), words in outcomes.items() if room.startswith(NAME)}
    assert {words for words in of_it.values()} == {""}, of_it
    assert len(of_it) >= 11


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(outcomes, part):
    words = PARTS[part][2].replace("NAME", f"without_{part}")
    said = outcomes["test_no_part_is_missing", f"without_{part}"]
    assert words in said
    others = [each for name, (_, _, each) in PARTS.items() if name != part]
    assert not any(other.replace("NAME", f"without_{part}") in said for other in others), said
