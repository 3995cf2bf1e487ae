"""The course's own jobs on a student's native code: compile a source, run it apart, measure it.

They are called in a process that has run none of the student's cells (`engine/asking/native_question.py`). The
student's code runs in processes of its own below this one and is never loaded into it. Each job returns a dict:
{"status": "done", ...} or {"status": what went wrong}; nothing in it is believed unseen.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

__all__ = ["JOBS"]

IN_SANDBOX = __package__ == "inside"  # else in the grader's own process, for trusted answers
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36


def cuda_launch(request: dict[str, Any]) -> dict[str, Any]:
    """One launch on the host runner; "arrays": what it left in the arguments numbered in request["outputs"]."""
    kernel, launch = _bound(request)
    _run(kernel, request)
    return {"arrays": [launch[index] for index in request["outputs"]]}


def cuda_check(request: dict[str, Any]) -> dict[str, Any]:
    """`cuda.check`; "findings": kinds of faults."""
    from course_lib import cuda

    kernel, args = _bound(request)
    place = request["grid"], request["block"], args, request["shared_mem"]
    with _reading_a_report():
        report = cuda.check(kernel, *place, time_limit=request["seconds"])
    return {"findings": sorted(report.kinds())}


def cuda_traffic(request: dict[str, Any]) -> dict[str, Any]:
    """How the reads of one array fall into sectors: "accesses", "requests" of warps, "sectors" of 32 bytes."""
    from course_lib.cuda import access_trace

    kernel, args = _bound(request)
    place = request["grid"], request["block"], args, request["shared_mem"]
    with _reading_a_report():
        trace = access_trace.trace(kernel, *place, time_limit=request["seconds"])
    reads = trace.of(request["array"], writes=False)
    requests = reads.requests()
    return {
        "accesses": len(reads),
        "requests": int(requests.max()) + 1 if len(requests) else 0,
        "sectors": reads.sectors(),
        "cut": trace.cut,
    }


def cuda_seconds(request: dict[str, Any]) -> dict[str, Any]:
    """Processor time of one launch, process and copies included, which no other program lengthens; "seconds"."""
    kernel, _ = _bound(request)
    before = _work_of_children()
    _run(kernel, request)
    return {"seconds": _work_of_children() - before}


def _work_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def runner_files(request: dict[str, Any]) -> dict[str, Any]:
    """The compiled runners of this sandbox, to spare the next one the work: "files", name: bytes as uint8 tensors.

    Called before any native code of a student has run.
    """
    import torch

    from course_lib.cuda import written_kernel
    from course_lib.native import cache_folder

    if not IN_SANDBOX:  # it shares the cache anyway
        return {"files": {}}
    for source, name in request["sources"]:
        written_kernel.prepare(_kernel(source, name))
    files = sorted(path for path in cache_folder().iterdir() if path.is_file())
    return {"files": {file.name: torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8) for file in files}}


def accept_files(request: dict[str, Any]) -> dict[str, Any]:
    """Put such files where the compiler would put them."""
    from course_lib.native import cache_folder

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in request["files"].items():
        file = folder / Path(name).name
        file.write_bytes(data.numpy().tobytes())
        file.chmod(0o700)
    return {}


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """Do the job request["job"]. Faults of the student's code become a status; others are raised."""
    from course_lib import native
    from course_lib.cuda import ArgumentError, LaunchError

    if IN_SANDBOX:
        _keep_apart()
    before = _children()
    try:
        return {"status": "done"} | JOBS[request["job"]](request)
    except native.CompileError:
        return {"status": "compile error"}
    except LaunchError as error:
        return {"status": _ended(str(error))}
    except ArgumentError:
        return {"status": "arguments"}
    except NoKernel:
        return {"status": "no kernel"}
    except Unreadable:
        return {"status": "unreadable"}
    finally:
        _end_leftovers(before)


class Unreadable(Exception):
    """A kernel has written into the report about itself."""


class NoKernel(Exception):
    """The source holds no kernel of the name that was asked for."""


def _ended(message: str) -> str:
    if "did not finish within" in message:
        return "time limit"
    return "crash" if "stopped by" in message or "ended its process" in message or "ran out" in message else "stopped"


@functools.lru_cache(maxsize=64)
def _kernel(source: str, name: str) -> Any:
    from course_lib.cuda import NoSuchKernel, written_kernel

    try:
        return written_kernel.apart(source, name)
    except NoSuchKernel as error:
        raise NoKernel(name) from error


@contextmanager
def _reading_a_report() -> Iterator[None]:
    try:
        yield
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise Unreadable from error


def _bound(request: dict[str, Any]) -> tuple[Any, list[Any]]:
    return _kernel(request["source"], request["name"]), request["args"]


def _run(kernel: Any, request: dict[str, Any]) -> None:
    from course_lib import cuda

    with _quiet(), cuda.use("host", isolated=True, time_limit=request["seconds"]):
        kernel(request["grid"], request["block"], request["args"], request["shared_mem"])


@contextmanager
def _quiet() -> Iterator[None]:
    """What a kernel prints is nobody's here."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


# ---- nothing of a student's native code outlives its run or reaches into this process


def _keep_apart() -> None:
    """No other process of this user looks into this one, and orphans of its children become its own."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None, use_errno=True)
        system.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        os.environ["COURSE_CUDA_WORKERS"] = "1"


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(pid) for pid in task.read_text().split()}
    return found


def _end_leftovers(before: set[int]) -> None:
    """End processes that appeared below this one since, until there are none."""
    for _ in range(1000):
        left = _children() - before
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


JOBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "cuda_launch": cuda_launch,
    "cuda_check": cuda_check,
    "cuda_traffic": cuda_traffic,
    "cuda_seconds": cuda_seconds,
    "runner_files": runner_files,
    "accept_files": accept_files,
}
