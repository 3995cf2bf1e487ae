"""The sandbox's first Python: gives up its rights, imports what notebooks import, then forks a kernel when told to.

One argument, JSON: {"control": fd, "uid": number or null, "limits": {...}}. Over the control socket it gets a byte "K"
with two file descriptors (a kernel's channel and its output) and answers b"S" + pid when it has forked, b"E" + wait
status when the kernel has ended. Ready: b"R".
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import socket
import struct
import sys
from typing import Any


def main() -> None:
    order = json.loads(sys.argv[1])
    give_up_rights(order["uid"])
    set_limits(order["limits"])
    control = socket.socket(fileno=order["control"])
    prepare()
    control.sendall(b"R")
    serve(control)


def give_up_rights(uid: int | None) -> None:
    """Become an ordinary user for good. In a user namespace the sandbox has done it already."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
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
    """The imports of notebooks, done once: forked kernels share them."""
    shutil.copytree("/course/matplotlib", os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    import matplotlib

    matplotlib.use("module://matplotlib_inline.backend_inline")
    import matplotlib.pyplot
    import numpy
    import torch
    import torch.nn.functional

    import course_lib
    from course_lib import checking, data, explore, measure, models, notebook, training

    from . import kernel

    torch.set_num_threads(1)
    assert all((course_lib, checking, data, explore, measure, models, notebook, training, numpy, kernel))


def serve(control: socket.socket) -> None:
    watched: dict[int, int] = {}  # pidfd: pid
    while True:
        readable, _, _ = select.select([control, *watched], [], [])
        for ready in readable:
            if ready is not control:
                pid = watched.pop(ready)
                os.close(ready)
                control.sendall(b"E" + struct.pack("<i", os.waitpid(pid, 0)[1]))
                continue
            message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
            if message != b"K":  # the grader is gone
                return
            pid = os.fork()
            if pid == 0:
                control.close()
                become_kernel(*descriptors)
            watched[os.pidfd_open(pid)] = pid
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(b"S" + struct.pack("<i", pid))


def become_kernel(channel: int, output: int) -> None:
    """Never returns."""
    from . import kernel

    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.set_inheritable(channel, False)
        os.setsid()
        kernel.serve(socket.socket(fileno=channel))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
