"""The sandbox's first Python: gives up its rights, imports what notebooks import, then forks a process when told to.

One argument, JSON: {"control": fd, "uid": number or null, "limits": {...}, "alone": bool}. Over the control socket it
gets a byte "F" with two file descriptors (the process's channel and its output) and answers with reports of REPORT's
form: b"S", pid, 0 when it has forked, b"E", pid, wait status when that process has ended. Ready: b"R".

One process at a time: before a further one is forked, everything that the last one left behind is removed, so that what
was asked of one notebook is not in the next one's reach. Only where this process is `alone` in a sandbox of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPORT = struct.Struct("<cii")  # kind, pid, wait status
WRITABLE = ("/tmp", "/dev/shm")
FONT_LIST = Path("/course/matplotlib")
PR_SET_DUMPABLE = 4
CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    order = json.loads(sys.argv[1])
    give_up_rights(order["uid"])
    set_limits(order["limits"])
    control = socket.socket(fileno=order["control"])
    prepare()
    close_up(order["limits"])
    control.sendall(b"R")
    # a second look, as cleaning kills and removes all it can: bubblewrap's own process is the first, this its child
    serve(control, order["limits"], cleaning=order["alone"] and os.getpid() == 2 and os.getppid() == 1)


def give_up_rights(uid: int | None) -> None:
    """Become an ordinary user for good. In a user namespace the sandbox has done it already."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # what an executed file might still inherit of root's rights: nothing
        header, none = struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)
        ctypes.CDLL(None).capset(header, none)
    os.umask(0o077)


def set_limits(limits: dict[str, Any]) -> None:
    """Hard limits for this process and every one it starts. A cgroup counts processes of all sandboxes apart."""
    for name, value in (
        (resource.RLIMIT_DATA, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NOFILE, 512),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(name, (value, value))
    if limits["count_processes"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))


def prepare() -> None:
    """The imports of notebooks, done once: forked processes share them."""
    take_font_list()
    import matplotlib

    matplotlib.use("module://matplotlib_inline.backend_inline")
    import matplotlib.pyplot
    import numpy
    import torch
    import torch.nn.functional

    import course_lib
    from course_lib import checking, data, explore, measure, models, notebook, training

    from . import student_process

    torch.set_num_threads(1)
    assert all((course_lib, checking, data, explore, measure, models, notebook, training, numpy, student_process))


def take_font_list() -> None:
    if FONT_LIST.is_dir():  # absent without a sandbox
        shutil.copytree(FONT_LIST, os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)


def close_up(limits: dict[str, Any]) -> None:
    """What only works after the imports. Forked processes inherit all of it."""
    # no other process of this user may look at this one's descriptors or memory
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.close(silence)
    if limits["count_processes"]:  # without a cgroup: shared memory counts as address space alone
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits["memory"],) * 2)


def serve(control: socket.socket, limits: dict[str, Any], *, cleaning: bool) -> None:
    used = False
    watched: dict[int, int] = {}  # pidfd: pid
    while True:
        readable, _, _ = select.select([control.fileno(), *watched], [], [])
        for ready in readable:
            if ready in watched:
                pid = watched.pop(ready)
                os.close(ready)
                control.sendall(REPORT.pack(b"E", pid, os.waitpid(pid, 0)[1]))
                continue
            message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
            if message != b"F":  # the grader is gone
                return
            channel, output = descriptors
            if used and cleaning and not clean():
                return  # the grader takes another sandbox
            used = True
            pid = os.fork()
            if pid == 0:
                control.close()
                become_students(channel, output, limits)
            watched[os.pidfd_open(pid)] = pid
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(REPORT.pack(b"S", pid, 0))


def clean() -> bool:
    """Kill every process but this one and the sandbox's first, and empty what can be written. Whether that worked."""
    with contextlib.suppress(ProcessLookupError):  # nothing is left
        os.kill(-1, signal.SIGKILL)
    until = time.monotonic() + 2
    while others_run() and time.monotonic() < until:
        time.sleep(0.005)
    for place in map(Path, WRITABLE):
        names = [str(entry) for entry in place.iterdir()]
        if names:  # the system's own tools: paths may be too deep for Python's
            subprocess.run(["chmod", "-R", "u+rwx", *names], check=False, capture_output=True)
            subprocess.run(["rm", "-rf", *names], check=False, capture_output=True)
    if others_run() or any(any(Path(place).iterdir()) for place in WRITABLE):
        return False
    take_font_list()
    return True


def others_run() -> bool:
    """Whether a process lives that could still do something; one that waits to be reaped cannot."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (1, os.getpid()):
            with contextlib.suppress(OSError, IndexError):
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    return True
    return False


def become_students(channel: int, output: int, limits: dict[str, Any]) -> None:
    """Never returns."""
    from . import student_process

    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.set_inheritable(channel, False)
        os.setsid()
        kept = student_process.Kept(limits["images"], limits["image"], limits["shown"])
        student_process.serve(socket.socket(fileno=channel), kept)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
