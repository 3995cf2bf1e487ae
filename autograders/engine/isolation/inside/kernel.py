"""Runs a student's cells in IPython and answers questions about what they left, one frame at a time.

A frame is 8 bytes of length, little-endian, and the message. {"op": "execute", "source": ..., "id": ...} is replied to
with {"value": {"error": [class names], "traceback": text, "images": [...], "text": text}}; every other message goes to
`answers.Answers`.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from . import wire
from .answers import Answers

__all__ = ["serve"]

MAX_IMAGES, MAX_IMAGE, MAX_TEXT = 4, 1_000_000, 20_000
TOO_MANY = f"[Only the first {MAX_IMAGES} figures are shown.]"


class Collected(DisplayPublisher):
    """Keeps what a cell displays: pictures, and the plain text of everything else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.images: list[bytes] = []
        self.texts: list[str] = []

    def publish(self, data: dict[str, Any], metadata: Any = None, **kwargs: Any) -> None:
        import base64

        picture = data.get("image/png")
        if picture is not None:
            self._keep(base64.b64decode(picture) if isinstance(picture, str) else bytes(picture))
        elif "text/plain" in data:
            self.texts.append(str(data["text/plain"])[:MAX_TEXT])

    def _keep(self, picture: bytes) -> None:
        """A figure too many or too large is named in the text: the grader would stop at the reply that carried it."""
        if len(picture) > MAX_IMAGE:
            self.texts.append(f"[A figure of {len(picture):,} bytes was left out; {MAX_IMAGE:,} are shown at most.]")
        elif len(self.images) < MAX_IMAGES:
            self.images.append(picture)
        elif TOO_MANY not in self.texts:
            self.texts.append(TOO_MANY)

    def take(self) -> tuple[list[bytes], list[str]]:
        images, texts = self.images, self.texts
        self.images, self.texts = [], []
        return images, texts


class Shell(InteractiveShell):
    """IPython with neither a terminal nor windows: what notebooks ask of those does nothing, as in Jupyter's kernel."""

    def enable_gui(self, gui: Any = None) -> None:
        """`%matplotlib inline` asks for it."""

    def ask_exit(self) -> None:
        """`exit()` asks for it."""


def serve(channel: socket.socket) -> None:
    """Answer until the grader hangs up."""
    shell = _shell()
    answers = Answers(shell.user_ns)
    while True:
        request = _receive(channel)
        if request is None:
            return
        reply = _execute(shell, request) if _is_execution(request) else answers.reply(request)
        _flush()
        channel.sendall(len(reply).to_bytes(8, "little") + reply)


def _is_execution(request: bytes) -> bool:
    return b'["op","execute"]' in request[:64]


def _execute(shell: InteractiveShell, request: bytes) -> bytes:
    source = wire.loads(request)["source"]
    failures: list[tuple[list[str], str]] = []

    def note(kind: type[BaseException], value: BaseException, trace: list[str]) -> None:
        failures.append(([part.__name__[:80] for part in kind.__mro__[:10]], "\n".join(trace)[-MAX_TEXT:]))

    shell._showtraceback = note
    try:
        outcome = shell.run_cell(source, store_history=False)
        failed = outcome.error_before_exec or outcome.error_in_exec
    except BaseException as error:  # IPython itself, driven into a corner
        failed = error
    images, texts = shell.display_pub.take()
    kinds, trace = failures[-1] if failures else ([type(failed).__name__] if failed else [], "")
    text = "\n".join(texts)[:MAX_TEXT]
    clean = [part.encode("utf-8", "replace").decode() for part in (trace, text)]
    return wire.dumps({"value": {"error": kinds, "traceback": clean[0], "text": clean[1], "images": images}})


def _shell() -> InteractiveShell:
    from matplotlib_inline.backend_inline import configure_inline_support

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = Shell.instance(config=config, display_pub_class=Collected)
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
