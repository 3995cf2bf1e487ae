"""`make gpu` without a GPU: a tiny course, parts that pass, fail, hang and are interrupted; and the real one listed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu_session import command
from benchmarks.gpu_session import summary as told
from benchmarks.gpu_session.parts import Part, parts
from benchmarks.gpu_session.results import MOST_BYTES, MOST_FILES, Session
from benchmarks.gpu_session.running import run_part
from tests.benchmarks.bare_python import make_bare_python
from tests.rooms.room import ROOT, find_rooms

BENCHMARK = """
import json, pathlib, sys, time
rows = [
    {"case": "small", "contender": "1 naive", "ours": True, "ratio_to_best_peer": 0.5, "seconds": {"median": 2e-6}},
    {"case": "small", "contender": "2 fast", "ours": True, "ratio_to_best_peer": 1.25, "fraction_of_limit": 0.8},
    {"case": "small", "contender": "peer", "ours": False, "ratio_to_best_peer": 1.0},
]
predictions = [{"claim": "fast is fast", "measured": 1.25, "verdict": "held"}]
document = {"family": "NAME", "machine": {}, "checks": [{"correct": True}], "rows": rows, "predictions": predictions}
pathlib.Path(sys.argv[sys.argv.index("--output") + 1]).write_text(json.dumps(document))
"""
TEST = """
import pytest
pytestmark = pytest.mark.gpu
def test_NAME(): assert True
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Two rooms, `late` and `soon`, each with a test and a benchmark."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a tiny test then takes a fraction of a second
    root = tmp_path / "course"
    for name in ("late", "soon"):
        write(root / f"course_lib/sparse/{name}/op.py", "")
        write(root / f"tests/sparse/{name}/test_{name}.py", TEST.replace("NAME", name))
        write(root / f"benchmarks/{name}.py", BENCHMARK.replace("NAME", name))
    with (root / "benchmarks/soon.py").open("a") as file:
        file.write("GPU_ORDER = 10\n")
    write(root / "tests/rooms/test_rooms.py", "# mark.gpu\n")
    write(root / "pytest.ini", "[pytest]\nmarkers = gpu\n")
    return root


def names(found):
    return [part.name for part in found]


def session_of(course):
    return Session(course / "results")


def one(course, code, seconds=200.0):
    write(course / "part.py", code)
    part = Part("benchmark one", "benchmark", ("part.py", "--output", "{output}"), seconds)
    (course / "files").mkdir(exist_ok=True)
    return run_part(part, course, course / "files", seconds)


def test_parts_come_in_the_order_that_benchmarks_declare(course):
    assert names(parts(course)) == ["tests soon", "benchmark soon", "tests late", "benchmark late"]
    write(course / "tests/cuda/test_first.py", TEST)
    write(course / "tests/measure/test_last.py", TEST)
    assert names(parts(course))[0] == "tests cuda"
    assert names(parts(course))[-1] == "tests measure"
    write(course / "course_lib/quantized/fresh/fresh.cu", "")
    write(course / "benchmarks/fresh.py", "GPU_ORDER: int = 1\n")
    assert names(parts(course))[1] == "tests fresh"
    assert names(parts(course, "cpu")) == ["benchmark fresh", "benchmark soon", "benchmark late"]


def test_every_room_and_every_test_that_needs_a_gpu_is_a_part():
    found = parts(ROOT)
    for room in find_rooms():
        assert {f"tests {room.name}", f"benchmark {room.name}"} <= set(names(found))
    files = {word for part in found for word in part.command if word.endswith(".py")}
    assert len(names(found)) == len(set(names(found)))
    for path in (ROOT / "tests").rglob("test_*.py"):
        if re.search(r"\bpytest\.mark\.gpu\b", path.read_text(encoding="utf-8")):
            assert str(path.relative_to(ROOT)) in files or path.name == "test_gpu_session.py"


def test_all_of_it(course, capsys):
    session = session_of(course)
    listed = parts(course)
    command.work_through(session, listed, 900, course)
    assert told.exit_code(session, listed) == 0
    said = told.summary(session, listed)
    assert "4 of 4 parts passed." in said
    assert "passed  tests soon     " in said and "1 passed, 0 failed, 0 skipped" in said
    assert "soon: 1.25x the best peer in the median of 1 cases" in said
    assert "   1.25x small: 2 fast, 80% of the limit" in said
    assert "held: fast is fast; measured 1.25" in said
    assert "1/4 tests soon ... passed" in capsys.readouterr().out


def test_a_failing_part_does_not_stop_the_next_and_runs_again_later(course):
    write(course / "tests/sparse/soon/test_soon.py", TEST.replace("assert True", "assert 2 == 3"))
    session, listed = session_of(course), parts(course)
    command.work_through(session, listed, 900, course)
    assert told.exit_code(session, listed) == 1
    assert session.parts["tests soon"]["status"] == "failed"
    assert [session.parts[name]["status"] for name in names(listed)[1:]] == ["passed"] * 3
    session.save(told.summary(session, listed))
    assert "assert 2 == 3" in (session.folder / "failures.txt").read_text()
    assert "Failed: tests soon; failures.txt says how." in (session.folder / "summary.txt").read_text()

    write(course / "tests/sparse/soon/test_soon.py", TEST)
    again = session_of(course)
    assert names(told.pending(again, listed)) == ["tests soon"]
    command.work_through(again, listed, 900, course)
    assert told.exit_code(again, listed) == 0
    assert again.failures == {}


def test_where_the_time_is_up_the_next_call_goes_on(course):
    shutil.copytree(course / "course_lib/sparse/late", course / "course_lib/sparse/later")
    write(course / "benchmarks/later.py", BENCHMARK.replace("NAME", "later"))
    write(course / "benchmarks/late.py", "import time\ntime.sleep(60)\n")
    session, listed = session_of(course), parts(course, "cpu")
    began = time.monotonic()
    command.work_through(session, listed, 8, course)
    assert time.monotonic() - began < 50  # not the minute that the second would take
    assert list(session.parts) == ["benchmark soon"]  # the second was not too slow: it had no time
    assert told.exit_code(session, listed) == 3
    assert "Left for want of time: benchmark late, benchmark later. `make gpu` goes" in told.summary(session, listed)

    write(course / "benchmarks/late.py", BENCHMARK.replace("NAME", "late"))
    again = session_of(course)
    assert names(told.pending(again, listed)) == ["benchmark late", "benchmark later"]
    command.work_through(again, listed, 900, course)
    assert told.exit_code(again, listed) == 0
    assert list(again.documents) == ["soon", "late", "later"]


def test_ctrl_c_leaves_what_is_done_and_no_process(course):
    write(course / "benchmarks/soon.py", "GPU_ORDER = 10\nimport time\ntime.sleep(90)\n")
    main = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it as ignored
from pathlib import Path
from benchmarks.gpu_session import command
command.ROOT = Path({str(course)!r})
command._machine = lambda device: {{"slug": "toy", "device": "Toy GPU"}}
sys.exit(command.main(["--out", {str(course / "results")!r}, "--copy-to", {str(course / "copies")!r}]))
"""
    process = subprocess.Popen([sys.executable, "-c", main], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "1/4 tests soon" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 3
    assert "interrupted; `make gpu` goes on from here" in printed
    assert "1 of 4 parts passed." in printed
    assert list(session_of(course).parts) == ["tests soon"]
    assert {path.name for path in (course / "copies").iterdir()} == {"session.json", "summary.txt", "failures.txt"}
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"{course}" not in running


def test_a_part_that_hangs_is_ended_with_all_it_started(course):
    code = f"""
import subprocess, sys, time
print("began")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2); open({str(course / "alive")!r}, 'w')"])
time.sleep(60)
"""
    outcome = one(course, code, seconds=1.5)
    assert outcome.status == "cut"
    assert "It had printed:\nbegan" in outcome.failures[0]
    time.sleep(2)
    assert not (course / "alive").exists()


def test_a_benchmark_that_is_cut_short_leaves_the_rows_it_has(course):
    outcome = one(course, BENCHMARK + "time.sleep(60)\n", seconds=3)
    assert outcome.status == "cut"
    assert len(outcome.document["rows"]) == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('wrong result of ours')", "ended with 1: ValueError: wrong result of ours"),
        ("print('nothing to say')", "it saved no rows"),
        ("import os; os.kill(os.getpid(), 11)", "ended with -11"),
    ],
)
def test_benchmarks_that_fail_say_how(course, code, words):
    outcome = one(course, code)
    assert outcome.status == "failed"
    assert words in outcome.said


@pytest.mark.parametrize(
    ("test", "status", "words"),
    [
        (TEST.replace("def", "@pytest.mark.skip('no CuPy')\ndef"), "failed", r"no test ran \(1 skipped: no CuPy\)"),
        (
            "import nothing_of_this_name\n# mark.gpu",
            "absent",
            "needs nothing_of_this_name, which is not installed here",
        ),
        ("syntax error", "failed", "0 passed, 1 failed"),
    ],
)
def test_tests_that_do_not_run(course, test, status, words):
    write(course / "tests/measure/test_it.py", test.replace("NAME", "it") + "\n# mark.gpu\n")
    part = parts(course)[-1]
    assert (part.name, part.needed) == ("tests measure", False)
    (course / "files").mkdir()
    outcome = run_part(part, course, course / "files", 200)
    assert outcome.status == status
    assert re.search(words, outcome.said)


def test_a_library_that_is_missing_is_a_failure_of_what_kernels_stand_on(course):
    write(course / "tests/cuda/test_it.py", "import nothing_of_this_name\n# mark.gpu\n")
    (course / "files").mkdir()
    assert run_part(parts(course)[0], course, course / "files", 200).status == "failed"


def test_another_device_begins_anew(tmp_path):
    session = Session(tmp_path)
    session.begin({"device": "Toy GPU"})
    session.parts["tests one"] = {"status": "passed", "seconds": 1.0, "said": "", "commit": "c"}
    session.keep("one", family(3))
    session.save()
    same, other = Session(tmp_path), Session(tmp_path)
    same.begin({"device": "Toy GPU", "driver": "newer"})
    assert (list(same.parts), list(same.documents)) == (["tests one"], ["one"])
    other.begin({"device": "Another GPU"})
    assert (other.parts, other.documents) == ({}, {})


def family(rows):
    def row(k):
        return {
            "case": f"case {k // 8}",
            "contender": f"{k % 8} " + 40 * "x",
            "ours": k % 8 < 4,
            "parameters": {"n": k},
        }

    numbers = {"seconds": {"median": 1 / 3, "low": 1 / 7, "high": 2 / 3, "samples": 7}, "relative_error": 1 / 9}
    timed = [row(k) | numbers | {"ratio_to_best_peer": 1 if k % 8 == 5 else 0.1 * (k % 8)} for k in range(rows)]
    return {"family": "f", "machine": {"device": "d"}, "checks": [{"correct": True}] * 1000, "rows": timed}


@pytest.mark.parametrize(("families", "rows", "kept"), [(2, 100, 100), (12, 130, 130), (12, 200, 125), (30, 800, 0)])
def test_results_stay_small(tmp_path, families, rows, kept):
    session = Session(tmp_path)
    for k in range(families):
        session.keep(f"family {k}", family(rows))
        session.parts[f"benchmark {k}"] = {"status": "failed", "seconds": 1.0, "said": "x" * 200, "commit": "c"}
        session.failures[f"benchmark {k}"] = ["y" * 5000] * 20
    session.save("z" * 100_000)
    files = list(tmp_path.iterdir())
    assert len(files) <= MOST_FILES
    assert all(path.stat().st_size <= MOST_BYTES < 64 * 1024 for path in files)
    found = Session(tmp_path)
    assert list(found.documents) == list(session.documents)
    assert len(found.documents["family 0"]["rows"]) == kept
    if kept == rows:
        assert found.documents == session.documents
    assert found.documents["family 0"]["checks_right"] == 1000
    assert len(found.parts) == families
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text())


def test_numbers_keep_four_digits(tmp_path):
    session = Session(tmp_path)
    session.keep(
        "f",
        {"rows": [{"a": 1 / 3, "b": {"c": float("nan")}, "n": 123456789}], "checks": [{"correct": False, "case": "x"}]},
    )
    assert session.documents["f"]["rows"] == [{"a": 0.3333, "b.c": "nan", "n": 123456789}]
    assert session.documents["f"]["checks_wrong"] == [{"correct": False, "case": "x"}]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return make_bare_python(tmp_path_factory.mktemp("bare") / "python")


def test_the_command_needs_no_library_to_say_what_it_would_do(bare):
    make = shutil.which("make") or pytest.skip("no make")
    # a make that runs these tests would have its own options and messages passed on
    outside_make = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    run = subprocess.run(
        [make, "gpu", "ARGS=--dry-run", f"PYTHON={bare}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=outside_make,
    )
    assert run.returncode == 0, run.stderr
    assert [line.split(", at most")[0].split(maxsplit=1)[1] for line in run.stdout.splitlines()] == names(parts(ROOT))


def test_without_a_gpu_it_says_so(bare):
    run = subprocess.run(
        [bare, "-m", "benchmarks.gpu_session"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": ".", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert run.returncode == 1
    assert run.stdout.startswith("gpu: torch finds no NVIDIA GPU. `make gpu ARGS=--dry-run` lists")


def test_what_it_runs_needs_nothing_of_jupyter(bare, tmp_path):
    """The tests are collected and the benchmarks imported by a Python that has nothing else to import."""
    needed = [part for part in parts(ROOT) if part.needed]
    files = sorted({word for part in needed for word in part.command if word.endswith(".py")})
    modules = [part.command[1] for part in needed if part.kind == "benchmark"]
    code = (
        f"import pytest, sys, {', '.join(modules)}; sys.exit(pytest.main({['-m', 'gpu', '--collect-only', *files]!r}))"
    )
    run = subprocess.run(
        [bare, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "."}
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    absent = subprocess.run([bare, "-c", "import IPython"], capture_output=True, check=False)
    assert absent.returncode == 1, "the bare Python is not bare"
    for file in files:
        assert Path(file).name in run.stdout
