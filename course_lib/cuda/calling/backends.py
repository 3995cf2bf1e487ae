"""Where kernels run: on the GPU that holds their arrays, or through the host compiler."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from course_lib.cuda.calling.arguments import Bound
from course_lib.cuda.calling.errors import ArgumentError
from course_lib.errors import CourseError

__all__ = ["Backend", "Setting", "check_backend", "choose", "current", "preferred", "use"]

Backend = Literal["cuda", "host"]


@dataclass(frozen=True)
class Setting:
    """What `use` has set: the backend (None: the arguments decide) and how the host runs kernels."""

    backend: Backend | None = None
    isolated: bool = False
    time_limit: float = 30.0


NOTHING_SET = Setting()
_setting: contextvars.ContextVar[Setting] = contextvars.ContextVar("cuda_setting", default=NOTHING_SET)


@contextlib.contextmanager
def use(backend: Backend | None, *, isolated: bool = False, time_limit: float = 30.0) -> Iterator[None]:
    """Run the kernels called in this block on one backend, wherever their arrays are.

    backend     "host": compiled for the CPU; GPU arrays are copied there and back. "cuda": on the GPU. None: as the
                arguments say.
    isolated    host only: each launch in a process of its own, so that a fault or an endless loop in the kernel
                becomes an error message and nothing more.
    time_limit  seconds for an isolated launch.
    """
    check_backend(backend)
    token = _setting.set(Setting(backend, isolated, time_limit))
    try:
        yield
    finally:
        _setting.reset(token)


def check_backend(backend: Backend | None) -> None:
    """Raises CourseError for anything else."""
    if backend is not None and backend not in get_args(Backend):
        raise CourseError(f'backend is "cuda", "host" or None, not {backend!r}')


def current() -> Setting:
    """The setting of the innermost `with cuda.use(...)`."""
    return _setting.get()


def choose(name: str, arguments: Sequence[Bound], forced: Backend | None) -> Backend:
    """The backend for one call. Raises ArgumentError if the arrays lie in different places."""
    if forced is not None:
        return forced
    on_gpu = [each.parameter.name for each in arguments if each.array is not None and each.array.gpu is not None]
    on_host = [each.parameter.name for each in arguments if each.array is not None and each.array.gpu is None]
    if on_gpu and on_host:
        raise ArgumentError(
            f"the arguments of {name} lie in different places: {', '.join(on_gpu)} on the GPU, "
            f"{', '.join(on_host)} in the computer's memory. Move them to one place."
        )
    return "cuda" if on_gpu else "host"


def preferred() -> Backend:
    """Where a call without arrays runs: the GPU, if CuPy is installed and finds one."""
    return "cuda" if _has_gpu() else "host"


@functools.cache
def _has_gpu() -> bool:
    if importlib.util.find_spec("cupy") is None:
        return False
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # no driver, or one that CuPy cannot use: CuPy raises errors of its own kind for each
        return False
