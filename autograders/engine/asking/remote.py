"""`student` of a question: calls that send data to the student's process and bring data back, nothing else.

    student.dense(x, weight, bias)           the value, decoded here: fresh tensors, plain numbers, containers of them
    student.value("network_words")           a variable
    student.after("sobel", image)            (value, arguments after the call), to see whether they were changed
    student.gradients("map_loss", nll, w, 0.5, 10, wrt=(1,))   (value, [gradients])
    student.without("F.conv2d").conv2d(...)  the same call, an error if it reaches that torch function
    model = student.Net(3, 10)               what is no data stays there; `model` is a RemoteObject

A failure raises StudentFault, which ends the case it stands in.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from autograders.engine.isolation.inside import wire
from autograders.engine.student_fault import StudentFault
from autograders.engine.verdict import Verdict

__all__ = ["Asker", "RemoteObject", "Student", "as_object"]

_SAID_WHAT = {
    "NotImplementedError": Verdict.MISSING,
    "MemoryError": Verdict.MEMORY,
    "OutOfMemoryError": Verdict.MEMORY,
}


_KNOWN_ERRORS = {
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)
}
_KNOWN_ERRORS |= {"LinAlgError", "AxisError", "OutOfMemoryError", "KeyboardInterrupt", "SystemExit"}


class Asker(Protocol):
    """Carries one request to the student's process and its reply back; raises StudentFault if that fails."""

    def ask(self, request: bytes) -> bytes: ...

    def clean_process(self, seconds: float) -> AbstractContextManager[Asker]:
        """A further process, in which none of the student's cells has run."""


class _UntilItEnds:
    """Asks until the process ends; from then on every question meets the fault that ended it."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._ended: StudentFault | None = None

    def ask(self, request: bytes) -> bytes:
        if self._ended:
            raise self._ended
        try:
            return self._asker.ask(request)
        except StudentFault as fault:
            if fault.ends_process:
                self._ended = fault
            raise

    def clean_process(self, seconds: float) -> AbstractContextManager[Asker]:
        return self._asker.clean_process(seconds)


class Student:
    """One student's notebook, after its answers have run."""

    def __init__(self, asker: Asker, forbidden: tuple[str, ...] = ()) -> None:
        self._asker = asker if isinstance(asker, _UntilItEnds) else _UntilItEnds(asker)
        self._forbidden = forbidden

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """The value of a function of the notebook; the way to one whose name `Student` itself uses."""
        return self._operate("call", name=name, args=args, kwargs=kwargs)

    def value(self, name: str) -> Any:
        """A variable of the notebook."""
        return self._operate("value", name=name)

    def after(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        """The value of a call, and its positional arguments as the call left them."""
        reply = self._operate("call", name=name, args=args, kwargs=kwargs, arguments=True)
        if not isinstance(reply, tuple) or len(reply) != 3:
            raise _malformed()
        return reply[0], _as_many(reply[1], args)

    def gradients(
        self, name: str, *args: Any, wrt: Sequence[int] = (0,), upstream: Any = None, **kwargs: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """The value of a call and the gradients of sum(value * upstream) for the arguments `wrt`.

        upstream  a tensor like the value; None: ones. A gradient is None where the value does not depend on it.
        """
        reply = self._operate("gradients", name=name, args=args, kwargs=kwargs, wrt=list(wrt), upstream=upstream)
        if not isinstance(reply, tuple) or len(reply) != 2:
            raise _malformed()
        return reply[0], _as_many(reply[1], wrt)

    def without(self, *functions: str) -> Student:
        """The same notebook; calls that reach one of these torch functions (see `checking.without`) fail."""
        return Student(self._asker, (*self._forbidden, *functions))

    @contextmanager
    def clean_process(self, seconds: float) -> Iterator[Student]:
        """A process of its own in which none of the notebook's cells has run; see `native_question`."""
        with self._asker.clean_process(seconds) as asker:
            yield Student(asker)

    def job(self, request: dict[str, Any]) -> Any:
        """One of the course's own jobs, `inside/native_jobs.py`; its reply is a claim like any other."""
        return self._operate("job", request=request)

    def _operate(self, operation: str, **request: Any) -> Any:
        request |= {"op": operation}
        if self._forbidden:
            request["without"] = list(self._forbidden)
        try:
            reply = wire.loads(self._asker.ask(wire.dumps(_as_handles(request))))
        except wire.MalformedMessage:
            raise _malformed() from None
        if not isinstance(reply, dict):
            raise _malformed()
        if "error" in reply:
            raise _raised(reply, self._forbidden)
        if reply.keys() != {"value"}:
            raise _malformed()
        return self._with_handles(reply["value"])

    def _with_handles(self, value: Any) -> Any:
        if isinstance(value, wire.Handle):
            return RemoteObject(self, value)
        if isinstance(value, (list, tuple)):
            return type(value)(self._with_handles(item) for item in value)
        if isinstance(value, dict):
            return {key: self._with_handles(item) for key, item in value.items()}
        return value


class RemoteObject:
    """A module, optimizer, iterator or other object that stays in the student's process.

    model(x) or model.call(x)        its __call__
    model.method("step", ...)        another method
    model.parameters() .grad() .state() .load_state({...})   of a torch module: dicts of tensors by name
    model.take(3)                    the next values of an iterator
    """

    def __init__(self, student: Student, handle: wire.Handle) -> None:
        self._student, self._handle = student, handle

    def __repr__(self) -> str:
        return f"<a {self._handle.kind} of the student's>"

    @property
    def kind(self) -> str:
        """What the student's side says its class is; a claim."""
        return self._handle.kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.method("__call__", *args, **kwargs)

    call = __call__

    def method(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._operate("call", name=name, args=args, kwargs=kwargs)

    def parameters(self) -> dict[str, Any]:
        return self._mapping("parameters")

    def grad(self) -> dict[str, Any]:
        return self._mapping("grads")

    def state(self) -> dict[str, Any]:
        return self._mapping("state")

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._operate("load_state", state=dict(state))

    def take(self, count: int) -> list[Any]:
        values = self._operate("take", count=count)
        if not isinstance(values, list) or len(values) > count:
            raise _malformed()
        return values

    def _mapping(self, operation: str) -> dict[str, Any]:
        value = self._operate(operation)
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise _malformed()
        return value

    def _operate(self, operation: str, **request: Any) -> Any:
        return self._student._operate(operation, handle=self._handle.number, **request)


def _as_handles(value: Any) -> Any:
    """Arguments in which an object that stayed with the student stands for itself there."""
    if isinstance(value, RemoteObject):
        return value._handle
    if type(value) in (list, tuple):
        return type(value)(_as_handles(item) for item in value)
    if type(value) is dict:
        return {key: _as_handles(item) for key, item in value.items()}
    return value


def as_object(
    answer: Any, problem: str = "The answer is not an object of the kind that was asked for."
) -> RemoteObject:
    """The handle of what is no data, such as a module; an answer of data ends the case as wrong, with `problem`."""
    if not isinstance(answer, RemoteObject):
        raise StudentFault(Verdict.WRONG, problem)
    return answer


def _as_many(values: Any, asked: Sequence[Any]) -> tuple[Any, ...]:
    """One value for each that was asked for: a question takes them apart without looking."""
    if not isinstance(values, (tuple, list)) or len(values) != len(asked):
        raise _malformed()
    return tuple(values)


def _malformed() -> StudentFault:
    return StudentFault(Verdict.ERROR, "The answer came back in a form that cannot be read.")


def _raised(reply: dict[str, Any], forbidden: tuple[str, ...] = ()) -> StudentFault:
    kinds, message = reply["error"], reply.get("message", "")
    if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        return _malformed()
    message = message if isinstance(message, str) else ""
    verdict = next((_SAID_WHAT[kind] for kind in kinds if kind in _SAID_WHAT), Verdict.ERROR)
    if "can't allocate memory" in message:  # what torch's own allocator says, in a RuntimeError
        verdict = Verdict.MEMORY
    if verdict is Verdict.MISSING:
        return StudentFault(verdict, "Not written yet.", kinds=tuple(kinds))
    if forbidden and kinds[0] == "CheckFailed":  # what `checking.without` raises
        functions = " or ".join(forbidden)
        problem = f"Your code calls {functions}, which this exercise asks you to write."
        return StudentFault(Verdict.WRONG, problem, kinds=tuple(kinds))
    # the message may quote the hidden input, and so may the name of a class made for it
    return StudentFault(verdict, f"Your code raised {_known(kinds)}.", kinds=tuple(kinds))


def _known(kinds: list[str]) -> str:
    """The first class that is none of the student's own."""
    return next((kind for kind in kinds if kind in _KNOWN_ERRORS), "an error")
