"""The trusted end of a kernel against a stranger that writes what it likes into both sockets."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time

import pytest

from autograders.engine.isolation.inside import wire
from autograders.engine.isolation.inside.zygote import REPORT
from autograders.engine.isolation.kernel import Kernel
from autograders.engine.isolation.limits import Limits
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CellRun, Verdict

PID = 4321
LIMITS = Limits(reply=1_000_000, output=50_000, shown=100)


class FakeSandbox:
    """Hands the kernel's ends to a function that plays the student's process in a thread."""

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


def run(play, seconds=1.0, limits=LIMITS):
    """What executing a cell comes to: a CellRun or the StudentFault."""
    kernel = Kernel(FakeSandbox(play, limits))
    kernel.allow(seconds)
    try:
        return kernel.execute("1 + 1", "cell")
    except StudentFault as fault:
        return fault
    finally:
        kernel.close()


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
def test_malformed_replies_end_the_kernel(parts, verdict):
    fault = run(says(*parts))
    assert isinstance(fault, StudentFault) and fault.ends_kernel and fault.verdict is verdict


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


def test_a_kernel_that_does_not_read_ends_at_the_deadline():
    kernel = Kernel(FakeSandbox(lambda channel, output, control: time.sleep(3)))
    kernel.allow(0.5)
    with pytest.raises(StudentFault) as fault:
        kernel.ask(bytes(20_000_000))
    assert fault.value.verdict is Verdict.TIMEOUT
    kernel.close()


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
