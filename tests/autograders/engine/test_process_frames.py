"""The trusted end of a process against a stranger that writes what it likes into both sockets."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from autograders.engine.isolation import student_process as process_module
from autograders.engine.isolation import supply
from autograders.engine.isolation.inside import wire
from autograders.engine.isolation.inside.zygote import REPORT
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.session import RunnableCell, Session
from autograders.engine.isolation.student_process import StudentProcess
from autograders.engine.notebook_grading import NotebookGrader
from autograders.engine.repair.helper_cells import Helper
from autograders.engine.repair.rebuild import Rebuilt
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CellRun, Verdict
from tests.autograders.engine.small_course import SUMS, sources

PID = 4321
LIMITS = Limits(reply=1_000_000, output=50_000, shown=100)


class FakeSandbox:
    """Hands the process's ends to a function that plays the student's process in a thread."""

    def __init__(self, play, limits=LIMITS):
        self.limits, self.play = limits, play
        self.control, self.theirs = socket.socketpair()
        self.ran_out_of_memory = False

    def fork(self, channel, output):
        ends = socket.socket(fileno=os.dup(channel.fileno())), os.dup(output)
        self.thread = threading.Thread(target=self._run, args=ends, daemon=True)
        self.theirs.sendall(REPORT.pack(b"S", PID, 0))
        self.thread.start()

    def _run(self, channel, output):
        try:
            self.play(channel, output, self.theirs)
        except OSError:
            pass  # the grader hung up first
        finally:
            with contextlib.suppress(OSError):  # the zygote tells of the end
                self.theirs.sendall(REPORT.pack(b"E", PID, 0))
            channel.close()
            os.close(output)


def run(play, seconds=60.0, limits=LIMITS):
    """What executing a cell comes to: a CellRun or the StudentFault."""
    process = StudentProcess(FakeSandbox(play, limits))
    process.allow(seconds)
    try:
        return process.execute("1 + 1", "cell")
    except StudentFault as fault:
        return fault
    finally:
        process.close()


def frame(payload):
    return len(payload).to_bytes(8, "little") + payload


def execution(**entries):
    return frame(wire.dumps({"value": {"error": [], "traceback": "", "images": [], "text": "", **entries}}))


def says(*parts):
    def play(channel, output, control):
        channel.recv(1 << 16)
        for part in parts:
            channel.sendall(part)
        time.sleep(0.05)

    return play


def test_an_honest_reply():
    ran = run(says(execution(text="2")))
    assert isinstance(ran, CellRun) and ran.verdict is Verdict.RIGHT and ran.text == "2"


def test_a_reply_in_single_bytes():
    reply = execution(text="2")
    assert run(says(*[reply[at : at + 1] for at in range(len(reply))])).text == "2"


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ((b"",), Verdict.DIED),
        ((b"abc",), Verdict.DIED),
        ((frame(b"abc"),), Verdict.DIED),
        ((frame(b""),), Verdict.DIED),
        ((frame(b"x" * 10)[:12],), Verdict.DIED),
        (((2**63).to_bytes(8, "little"),), Verdict.OUTPUT),
        (((10**6 + 1).to_bytes(8, "little"),), Verdict.OUTPUT),
        ((frame(wire.dumps(5)),), Verdict.DIED),
        ((frame(wire.dumps({"value": 5})),), Verdict.DIED),
        ((frame(wire.dumps({"value": {"error": []}})),), Verdict.DIED),
        ((execution(error=[7]),), Verdict.DIED),
        ((execution(text=b"x"),), Verdict.DIED),
        ((execution(traceback=[1]),), Verdict.DIED),
        ((execution(images="x"),), Verdict.DIED),
    ],
)
def test_malformed_replies_end_the_process(parts, verdict):
    fault = run(says(*parts))
    assert isinstance(fault, StudentFault) and fault.ends_process and fault.verdict is verdict


def test_images_are_pngs_and_few():
    png = b"\x89PNG\r\n\x1a\n"
    ran = run(says(execution(images=[b"GIF89a", 5, png, png, png, png, png])))
    assert len(ran.images) <= 4 and all(image.startswith(png) for image in ran.images)


def test_silence_ends_at_the_deadline():
    fault = run(lambda channel, output, control: time.sleep(3), seconds=0.3)
    assert fault.verdict is Verdict.TIMEOUT


def test_a_dribble_ends_at_the_deadline():
    def play(channel, output, control):
        channel.sendall((1000).to_bytes(8, "little"))
        while True:
            channel.sendall(b"x")
            time.sleep(0.05)

    assert run(play, seconds=0.5).verdict is Verdict.TIMEOUT


def test_floods_of_output_are_cut_and_stopped():
    def play(channel, output, control):
        while True:
            os.write(output, b"x" * 4096)

    fault = run(play, seconds=20)
    assert fault.verdict is Verdict.OUTPUT


def test_printed_text_is_cut_where_it_streams():
    def play(channel, output, control):
        channel.recv(1 << 16)
        os.write(output, b"\xff" + b"y" * 5_000)
        channel.sendall(execution())
        time.sleep(0.05)

    assert len(run(play).text) == 100


def test_a_process_that_does_not_read_ends_at_the_deadline():
    process = StudentProcess(FakeSandbox(lambda channel, output, control: time.sleep(3)))
    process.allow(0.5)
    with pytest.raises(StudentFault) as fault:
        process.ask(bytes(20_000_000))
    assert fault.value.verdict is Verdict.TIMEOUT
    process.close()


def test_why_it_died_is_read_from_the_zygote():
    def exits(status):
        def play(channel, output, control):
            channel.recv(1 << 16)
            control.sendall(REPORT.pack(b"E", PID + 1, 9) + REPORT.pack(b"E", PID, status))

        return play

    assert "SIGSEGV" in run(exits(11)).message
    assert run(exits(24)).verdict is Verdict.TIMEOUT  # SIGXCPU
    assert run(exits(3 << 8)).verdict is Verdict.DIED


def test_forged_news_from_the_zygote_is_no_mark_and_no_hang():
    for news in (b"E", b"S" * 450, b"zzzzzzz", b"E" + b"\xff" * 80, REPORT.pack(b"E", PID, -1)):

        def play(channel, output, control, news=news):
            control.sendall(news)
            time.sleep(1)

        assert isinstance(run(play, seconds=0.5), StudentFault)


def test_thousands_of_damaged_replies():
    """No reply that was not whole is taken for one, none hangs, none raises anything but a verdict."""
    chance = random.Random(3)
    whole = execution(text="honest", error=["ValueError"], traceback="here")
    for _ in range(1_500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        reply = bytes(damaged[: chance.randint(0, len(damaged))] if chance.random() < 0.5 else damaged)

        def play(channel, output, control, reply=reply):
            channel.sendall(reply)
            channel.shutdown(socket.SHUT_WR)

        outcome = run(play, seconds=2)
        assert isinstance(outcome, (CellRun, StudentFault))
        if isinstance(outcome, CellRun):
            assert isinstance(outcome.text, str) and isinstance(outcome.error, str)


def test_bytes_sent_ahead_do_not_keep_the_writer_busy(monkeypatch):
    """The student writes first and never reads: nothing changes until the deadline, so nothing is to be done."""
    calls = []

    def select(*arguments):
        calls.append(arguments)
        return real(*arguments)

    def play(channel, output, control):
        channel.sendall(b"ahead")
        time.sleep(3)

    real = process_module.select.select
    process = StudentProcess(FakeSandbox(play))
    monkeypatch.setattr(process_module, "select", SimpleNamespace(select=select))
    process.allow(1.0)
    with pytest.raises(StudentFault) as fault:
        process.ask(bytes(20_000_000))
    process.close()
    assert fault.value.verdict is Verdict.TIMEOUT
    assert len(calls) < 200, f"{len(calls)} wake-ups"


def test_a_sandbox_is_closed_when_the_next_one_cannot_be_started(monkeypatch):
    made = []

    class OnlyOne:
        def __init__(self, limits, *, unsafe):
            if made:
                raise OSError("no process can be had")
            self.closed = 0
            made.append(self)

        def wait(self):
            pass

        def close(self):
            self.closed += 1

    monkeypatch.setattr(supply, "Sandbox", OnlyOne)
    with pytest.raises(OSError, match="no process"):
        supply.SandboxSupply(LIMITS).take()
    assert made[0].closed == 1


PNG = b"\x89PNG\r\n\x1a\n"


def test_figures_and_texts_over_their_limits_are_not_kept():
    limits = Limits(reply=1_000_000, shown=100, image=1_000, images=2)
    images = [PNG.ljust(1_001, b"x"), PNG, PNG.ljust(1_000, b"x"), PNG]
    assert run(says(execution(images=images)), limits=limits).images == (PNG,)
    assert run(says(execution(images=images[1:])), limits=limits).images == tuple(images[1:3])
    ran = run(says(execution(text="x" * 5_000, traceback="y" * 5_000)))
    assert (len(ran.text), len(ran.error)) == (LIMITS.shown, LIMITS.shown)


class ShowsMuch:
    """A process, and the slot that forks it: each cell shows what its source names."""

    def __init__(self, limits):
        self.supply = SimpleNamespace(limits=limits)
        self.seconds_left = 10.0

    def fork(self):
        return self

    def allow(self, seconds):
        pass

    def execute(self, source, identifier):
        text, figure = (int(size) for size in source.split())
        figures = (PNG.ljust(figure, b"x"),) * 4
        return CellRun(identifier, Verdict.ERROR, "x" * text, figures, "y" * text + "NameError: z")


def runs_of(cells, **limits):
    session = Session(ShowsMuch(Limits(**limits)), cells)
    session.run_cells()
    return session.runs


def size_of(runs):
    return sum(len(ran.text) + len(ran.error) + sum(map(len, ran.images)) for ran in runs.values())


def test_what_is_kept_of_one_notebook_is_bounded():
    cells = [RunnableCell(str(number), "20000 490000") for number in range(50)]
    runs = runs_of(cells)
    assert len(runs) == 50 and len(runs["0"].images) == 4 and len(runs["0"].text) == 20_000
    assert size_of(runs) < Limits().kept + 50 * 1_000
    assert "left out" in runs["49"].text and not runs["49"].images
    assert all(ran.error.endswith("NameError: z") for ran in runs.values())


def test_text_outlasts_figures():
    runs = runs_of([RunnableCell("a", "10 1000"), RunnableCell("b", "10 1000"), RunnableCell("c", "0 0")], kept=6_000)
    assert (len(runs["a"].images), len(runs["b"].images), len(runs["c"].images)) == (4, 0, 4)
    assert runs["b"].text.startswith("x" * 10 + "\n[The figures are left out")


def test_text_alone_is_bounded_too():
    runs = runs_of([RunnableCell(str(number), "20000 8", figures=False) for number in range(2_000)])
    assert size_of(runs) < Limits().kept + 2_000 * 1_000
    assert "left out" in runs["1999"].text


def test_no_figures_of_helper_cells_are_kept():
    source = sources()[SUMS]
    answers = {cell.id: "pass" for cell in source.text.of_kind("exercise", "quiz")}
    rebuilt = Rebuilt(answers=answers, texts={}, helpers=(Helper("import os", "add"),), repairs=(), problems=())
    cells = NotebookGrader(source, {}, Limits()).runnable_cells(rebuilt)
    figures = {cell.id: cell.figures for cell in cells if not cell.ours}
    assert figures == {"helper 0 of add": False, "add": True, "twice": True, "letters": True}
    runs = runs_of([RunnableCell("helper", "10 1000", figures=False), RunnableCell("add", "10 1000")])
    assert (len(runs["helper"].images), len(runs["add"].images)) == (0, 4)
