"""The trusted end of a student's process: sends a frame, waits for the reply with a deadline, reads what is printed.

Everything that arrives is a stranger's: lengths are checked before memory is taken, and time is ours.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field, replace
from typing import Any

from autograders.engine.isolation.inside import wire
from autograders.engine.isolation.inside.zygote import REPORT
from autograders.engine.isolation.limits import Limits
from autograders.engine.isolation.sandbox import Sandbox
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import CellRun, Verdict

__all__ = ["StudentProcess", "kept_size", "shortened"]

FORK_SECONDS = 10.0
SHORT_ERROR = 500
NO_FIGURES = "[The figures are left out: this notebook has shown more than is kept.]"
NO_OUTPUT = "[The output is left out: this notebook has shown more than is kept.]"


@dataclass
class StudentProcess:
    """One process of a student's, forked in a sandbox. After a StudentFault with `ends_process` nothing works any more.

    deadline  a time of `time.monotonic` after which no reply is waited for; set anew for each question or cell.
    """

    sandbox: Sandbox
    deadline: float = field(default=0.0)

    def __post_init__(self) -> None:
        self._limits: Limits = self.sandbox.limits
        self._pid: int | None = None
        self._status: int | None = None
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._output, writing = os.pipe()
        try:
            self.sandbox.fork(theirs, writing)
        except OSError:
            self.close()
            raise StudentFault(Verdict.DIED, "The sandbox ended.", ends_process=True) from None
        finally:
            theirs.close()
            os.close(writing)
        self._channel.setblocking(False)
        os.set_blocking(self._output, False)
        self._printed, self._shown = 0, bytearray()
        self._require_fork()

    def allow(self, seconds: float) -> None:
        """Give what follows this much wall time."""
        self.deadline = time.monotonic() + seconds

    def execute(self, source: str, identifier: str) -> CellRun:
        """Run one cell. Raises StudentFault if the process does not survive it."""
        started = time.monotonic()
        self._shown.clear()
        reply = self.ask(wire.dumps({"op": "execute", "source": source, "id": identifier}))
        error, trace, images, text = _execution(reply, self._limits)
        self._read_output()
        printed = self._shown.decode("utf-8", "replace")
        verdict = (
            Verdict.RIGHT if not error else Verdict.MISSING if error[0] == "NotImplementedError" else Verdict.ERROR
        )
        shown = (printed + ("\n" if printed and text else "") + text)[: self._limits.shown]
        return CellRun(identifier, verdict, shown, images, trace, time.monotonic() - started)

    def ask(self, request: bytes) -> bytes:
        """One request and its reply. Raises StudentFault: late, too large, too talkative, or the process has ended."""
        try:
            self._send(len(request).to_bytes(8, "little") + request)
            length = int.from_bytes(self._receive(8), "little")
            if length > self._limits.reply:
                raise self._ended(Verdict.OUTPUT, f"The answer is larger than {self._limits.reply // 1_000_000} MB.")
            return self._receive(length)
        except OSError:
            raise self._died() from None

    def close(self) -> None:
        self._channel.close()
        if self._output >= 0:
            os.close(self._output)
            self._output = -1

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait(writing=True)
            with contextlib.suppress(BlockingIOError):
                view = view[self._channel.send(view) :]

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._wait()
            try:
                part = self._channel.recv(min(count - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _wait(self, *, writing: bool = False) -> None:
        """Until the channel is ready, the deadline has passed or the sandbox has news."""
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise self._ended(Verdict.TIMEOUT, "It took too long and was stopped.")
            # while we write, bytes sent ahead would wake us again and again: nobody reads them yet
            reading: list[socket.socket | int] = [self.sandbox.control, *([] if writing else [self._channel])]
            if self._output >= 0:
                reading.append(self._output)
            ready, writable, _ = select.select(reading, [self._channel] if writing else [], [], left)
            if self._output in ready:
                self._read_output()
            if self._channel in ready or self._channel in writable:
                return
            if self.sandbox.control in ready and self._news():
                raise self._died()

    def _require_fork(self) -> None:
        """The zygote answers at once, unless a student's earlier notebook has stopped it."""
        until = time.monotonic() + FORK_SECONDS
        while self._pid is None:
            left = max(0.0, until - time.monotonic())
            if not select.select([self.sandbox.control], [], [], left)[0] or self._news():
                self.close()
                raise self._ended(Verdict.DIED, "The sandbox ended.")

    def _news(self) -> bool:
        """Reads one report of the zygote's; True when it says that this process has ended, or is gone itself."""
        try:
            report = self.sandbox.control.recv(REPORT.size)
        except OSError:
            return True
        if len(report) != REPORT.size:
            return True
        kind, pid, status = REPORT.unpack(report)
        if kind == b"S":
            self._pid = pid
        elif pid == self._pid:  # the last notebook's process ends while this one already runs
            self._status = status
            return True
        return False

    def _read_output(self) -> None:
        while self._output >= 0:
            try:
                part = os.read(self._output, 1 << 16)
            except BlockingIOError:
                return
            if not part:  # everything that could print is gone
                os.close(self._output)
                self._output = -1
                return
            self._printed += len(part)
            self._shown += part[: max(0, self._limits.shown - len(self._shown))]
            if self._printed > self._limits.output:
                raise self._ended(Verdict.OUTPUT, f"It printed more than {self._limits.output // 1_000_000} MB.")

    def _died(self) -> StudentFault:
        """Why the process has ended, as far as can be told."""
        status = self._wait_status()
        if self.sandbox.ran_out_of_memory:
            return self._ended(Verdict.MEMORY, f"It used more than {self._limits.memory // 1_000_000} MB of memory.")
        if status is not None and os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return self._ended(Verdict.TIMEOUT, "It used too much processor time and was stopped.")
            return self._ended(Verdict.DIED, f"The notebook's process crashed ({_signal_name(number)}).")
        return self._ended(Verdict.DIED, "The notebook's process ended before it answered.")

    def _wait_status(self) -> int | None:
        until = time.monotonic() + 2
        while self._status is None and (left := until - time.monotonic()) > 0:
            if not select.select([self.sandbox.control], [], [], left)[0] or self._news():
                break
        return self._status

    def _ended(self, verdict: Verdict, message: str) -> StudentFault:
        return StudentFault(verdict, message, ends_process=True)


def _execution(reply: bytes, limits: Limits) -> tuple[list[str], str, tuple[bytes, ...], str]:
    """Checks the reply to an execution part by part: it may come from the student's own hand."""
    malformed = StudentFault(Verdict.DIED, "The notebook's process sent what is no reply.", ends_process=True)
    try:
        message: Any = wire.loads(reply)
        value = message["value"]
        error, trace, text, images = (value[key] for key in ("error", "traceback", "text", "images"))
    except (wire.MalformedMessage, KeyError, TypeError):
        raise malformed from None
    fits = isinstance(trace, str) and isinstance(text, str) and isinstance(error, list) and isinstance(images, list)
    if not fits or not all(isinstance(kind, str) for kind in error):
        raise malformed
    pictures = tuple(image for image in images[: limits.images] if _is_figure(image, limits))
    return error, trace[: limits.shown], pictures, text[: limits.shown]


def _is_figure(image: Any, limits: Limits) -> bool:
    return isinstance(image, bytes) and len(image) <= limits.image and image.startswith(b"\x89PNG\r\n")


def kept_size(run: CellRun) -> int:
    """Bytes of figures and text."""
    texts = sum(len(text.encode("utf-8", "surrogatepass")) for text in (run.text, run.error))
    return texts + sum(map(len, run.images))


def shortened(run: CellRun, left: int) -> CellRun:
    """The run as it is kept when `left` bytes may be kept: without figures, then without output, and says so.

    The end of an error stays whatever is left: it names what went wrong.
    """
    if kept_size(run) <= left:
        return run
    bare = replace(run, images=())
    if run.images and kept_size(bare) <= left:
        return replace(bare, text=f"{run.text}\n{NO_FIGURES}".lstrip("\n"))
    return replace(bare, text=NO_OUTPUT, error=run.error[-SHORT_ERROR:])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
