"""Runs a student's cells in IPython and answers questions about what they left, one frame at a time.

A frame is 8 bytes of length, little-endian, and the message. {"op": "execute", "source": ..., "id": ...} is replied to
with {"value": {"error": [class names], "traceback": text, "images": [...], "text": text}}; every other message goes to
`answers.Answers`.
"""

from __future__ import annotations

import socket
import sys
from typing import Any, NamedTuple

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from . import wire
from .answers import Answers

__all__ = ["Kept", "serve"]


class Kept(NamedTuple):
    """What the grader takes of one cell: figures, bytes of one of them, characters of text (`isolation/limits.py`)."""

    images: int
    image: int
    text: int


class Collected(DisplayPublisher):
    """Keeps what a cell displays: pictures, and the plain text of everything else. `kept` is set by who makes one."""

    kept: Kept

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.images: list[bytes] = []
        self.texts: list[str] = []

    def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        import base64

        picture = data.get("image/png")
        if picture is not None:
            self._keep(base64.b64decode(picture) if isinstance(picture, str) else bytes(picture))
        elif "text/plain" in data:
            self.texts.append(str(data["text/plain"])[: self.kept.text])

    def _keep(self, picture: bytes) -> None:
        """A figure too many or too large is named in the text: the grader would stop at the reply that carried it."""
        too_many = f"[Only the first {self.kept.images} figures are shown.]"
        if len(picture) > self.kept.image:
            most = f"{self.kept.image:,} are shown at most"
            self.texts.append(f"[A figure of {len(picture):,} bytes was left out; {most}.]")
        elif len(self.images) < self.kept.images:
            self.images.append(picture)
        elif too_many not in self.texts:
            self.texts.append(too_many)

    def take(self) -> tuple[list[bytes], list[str]]:
        images, texts = self.images, self.texts
        self.images, self.texts = [], []
        return images, texts


class Shell(InteractiveShell):
    """IPython with neither a terminal nor windows: what notebooks ask of those does nothing, as in Jupyter's kernel.

    failures  of the cell that runs: (class names of the error, its traceback).
    """

    failures: list[tuple[list[str], str]]

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        """IPython would print it."""
        self.failures.append(([part.__name__[:80] for part in etype.__mro__[:10]], "\n".join(stb)))

    def enable_gui(self, gui: Any = None) -> None:
        """`%matplotlib inline` asks for it."""

    def ask_exit(self) -> None:
        """`exit()` asks for it."""


def serve(channel: socket.socket, kept: Kept) -> None:
    """Answer until the grader hangs up."""
    shell = _shell(kept)
    answers = Answers(shell.user_ns)
    while True:
        request = _receive(channel)
        if request is None:
            return
        reply = _execute(shell, request, kept) if _is_execution(request) else answers.reply(request)
        _flush()
        channel.sendall(len(reply).to_bytes(8, "little") + reply)


def _is_execution(request: bytes) -> bool:
    return b'["op","execute"]' in request[:64]


def _execute(shell: Shell, request: bytes, kept: Kept) -> bytes:
    source = wire.loads(request)["source"]
    shell.failures = []
    try:
        outcome = shell.run_cell(source, store_history=False)
        failed = outcome.error_before_exec or outcome.error_in_exec
    except BaseException as error:  # IPython itself, driven into a corner
        failed = error
    images, texts = shell.display_pub.take()
    kinds, trace = shell.failures[-1] if shell.failures else ([type(failed).__name__] if failed else [], "")
    text = "\n".join(texts)[: kept.text]
    clean = [part.encode("utf-8", "replace").decode() for part in (trace[-kept.text :], text)]
    return wire.dumps({"value": {"error": kinds, "traceback": clean[0], "text": clean[1], "images": images}})


def _shell(kept: Kept) -> Shell:
    from matplotlib_inline.backend_inline import configure_inline_support

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = Shell.instance(config=config, display_pub_class=Collected)
    shell.display_pub.kept = kept
    shell.user_ns["__name__"] = "__main__"
    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    return shell


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # a student may have replaced or closed it
            continue


def _receive(channel: socket.socket) -> bytes | None:
    length = _exactly(channel, 8)
    return None if length is None else _exactly(channel, int.from_bytes(length, "little"))


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    parts = []
    while count:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
