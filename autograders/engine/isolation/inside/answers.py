"""Answers the grader's questions from a namespace that the student's cells have filled.

A request is a dict: {"op": ..., ...}; the reply is {"value": ...} or {"error": [class names], "message": text,
"traceback": text}. The grader treats every reply as a claim: whatever this file does, a student's code can undo.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from . import wire

__all__ = ["Answers"]

MAX_MESSAGE, MAX_TRACEBACK = 2_000, 8_000


class Answers:
    """Looks names up in `namespace`; keeps what cannot be sent and hands out numbers for it."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.kept: list[Any] = []

    def reply(self, message: bytes) -> bytes:
        """Bytes of a request -> bytes of its reply. Only what ends the process itself gets past it."""
        try:
            request = wire.loads(message, lambda handle: self.kept[handle.number])
            return wire.dumps({"value": self._OPERATIONS[request["op"]](self, request)}, self._keep)
        except BaseException as error:  # SystemExit and KeyboardInterrupt of a student's are errors like others
            return wire.dumps(_error(error))

    def _keep(self, value: Any) -> wire.Handle:
        self.kept.append(value)
        return wire.Handle(len(self.kept) - 1, type(value).__name__[:80])

    def _call(self, request: dict[str, Any]) -> Any:
        function = self._target(request)
        args, kwargs = request["args"], request["kwargs"]
        with _forbidden(request.get("without", ())):
            value = function(*args, **kwargs)
        return (value, args, kwargs) if request.get("arguments") else value

    def _value(self, request: dict[str, Any]) -> Any:
        return self._named(request["name"])

    def _gradients(self, request: dict[str, Any]) -> Any:
        """The value and the gradients of sum(value * upstream) for the arguments numbered in `wrt`."""
        import torch

        args = list(request["args"])
        for index in request["wrt"]:
            args[index] = args[index].requires_grad_()
        with _forbidden(request.get("without", ())):
            value = self._target(request)(*args, **request["kwargs"])
        upstream = request["upstream"]
        # a weighted sum, not `grad_outputs`: that makes torch import its symbolic shapes, for two seconds
        total = value.sum() if upstream is None else (value * upstream).sum()
        grads = torch.autograd.grad(total, [args[index] for index in request["wrt"]], allow_unused=True)
        return value, grads

    def _parameters(self, request: dict[str, Any]) -> Any:
        return dict(self.kept[request["handle"]].named_parameters())

    def _grads(self, request: dict[str, Any]) -> Any:
        return {name: parameter.grad for name, parameter in self.kept[request["handle"]].named_parameters()}

    def _state(self, request: dict[str, Any]) -> Any:
        return dict(self.kept[request["handle"]].state_dict())

    def _load_state(self, request: dict[str, Any]) -> Any:
        self.kept[request["handle"]].load_state_dict(request["state"])

    def _take(self, request: dict[str, Any]) -> Any:
        """The next values of an iterator, at most `count`."""
        iterator = iter(self.kept[request["handle"]])
        return [value for _, value in zip(range(request["count"]), iterator, strict=False)]

    def _job(self, request: dict[str, Any]) -> Any:
        """A job of the course's own on native code; asked of processes that have run none of the student's cells."""
        from . import native_jobs

        return native_jobs.reply(request["request"])

    def _target(self, request: dict[str, Any]) -> Callable[..., Any]:
        if request.get("handle") is None:
            return self._named(request["name"])
        kept = self.kept[request["handle"]]
        return kept if request["name"] == "__call__" else getattr(kept, request["name"])

    def _named(self, name: str) -> Any:
        if name not in self.namespace:
            raise NameError(f"name {name!r} is not defined")
        return self.namespace[name]

    _OPERATIONS: dict[str, Callable[..., Any]] = {  # noqa: RUF012 - a table of methods, never changed
        "call": _call,
        "value": _value,
        "gradients": _gradients,
        "parameters": _parameters,
        "grads": _grads,
        "state": _state,
        "load_state": _load_state,
        "take": _take,
        "job": _job,
    }


def _forbidden(names: Any) -> Any:
    import contextlib

    if not names:
        return contextlib.nullcontext()
    from course_lib import checking

    return checking.without(*names)


def _error(error: BaseException) -> dict[str, Any]:
    try:
        message = str(error)[:MAX_MESSAGE]
    except BaseException:  # a class of the student's
        message = ""
    kinds = [kind.__name__[:80] for kind in type(error).__mro__[:10]]
    try:
        trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
    except BaseException:
        trace = ""
    encodable = [text.encode("utf-8", "replace").decode() for text in (message, trace)]
    return {"error": kinds, "message": encodable[0], "traceback": encodable[1]}
