"""`reference` of a question: the solution notebook's own functions; and a `student` on this side, for authors."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterator
from typing import Any

from autograders.engine.isolation.inside.answers import Answers
from autograders.engine.isolation.inside.wire import Seeded
from course_lib.workbook.source import SourceNotebook

__all__ = ["SETTINGS", "LocalAsker", "Reference", "namespace_of"]


SETTINGS = ("parameters", "setup")


def namespace_of(notebook: SourceNotebook, kinds: tuple[str, ...] = (*SETTINGS, "exercise", "quiz")) -> dict[str, Any]:
    """What the cells of some kinds of a solution notebook define. Trusted code only: it runs in this process."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in notebook.text.of_kind(*kinds):
            exec(compile(cell.source, f"<{notebook.id} {cell.id or cell.kind}>", "exec"), namespace)
    return namespace


class Reference:
    """The solution's functions by name. Arguments are copied, so that a call changes nothing of the caller's."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _own(args), _own(kwargs)
        return self._namespace[name](*args, **kwargs)

    def value(self, name: str) -> Any:
        return copy.deepcopy(self._namespace[name])


class LocalAsker:
    """Answers questions in this process. For trusted code: solutions, and answers written to be caught."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._answers = Answers(namespace)

    def ask(self, request: bytes) -> bytes:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return self._answers.reply(request)

    @contextlib.contextmanager
    def clean_process(self, seconds: float) -> Iterator[LocalAsker]:
        """A namespace of its own, in this process all the same."""
        yield type(self)({})


def _own(value: Any) -> Any:
    """A copy, with a generator in place of each seed."""
    if isinstance(value, Seeded):
        import torch

        return torch.Generator().manual_seed(value.seed)
    if isinstance(value, (list, tuple)):
        return type(value)(_own(item) for item in value)
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    return copy.deepcopy(value)
