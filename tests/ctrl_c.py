"""Processes that Ctrl-C ends, also where the tests run in a shell's background."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["interruptible"]

RESTORE = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def interruptible(command: Sequence[str]) -> list[str]:
    """The command line that starts `command`, a program's path and its words, with SIGINT as a terminal sets it.

    `nohup` and a script's `&` have all that they start ignore it.
    """
    return [sys.executable, "-ISc", RESTORE, *command]
