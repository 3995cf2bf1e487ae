"""The pieces in which one answer was handed in -> one text, with what had to be put right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from autograders.engine.repair.helper_cells import OwnCode, own_code_names
from autograders.engine.repair.python_names import compiles, names_of
from autograders.engine.repair.released import KnownCell
from course_lib.handin.read_notebook import SubmittedCell

__all__ = ["Answer", "OwnCells", "join_code", "join_text"]

_MOST_PIECES = 12  # of one answer; more are no honest notebook
_FARTHEST = 4  # cells beside an answer that may be the rest of it


@dataclass
class Answer:
    """source  what the student wrote; "" if there is nothing.
    position   of its last piece in the file; -1 if there is none.
    repairs    clauses about the answer, each one the end of a sentence that begins with its name.
    used       positions of the student's own cells that became part of it.
    """

    source: str = ""
    position: int = -1
    repairs: list[str] = field(default_factory=list)
    used: list[int] = field(default_factory=list)


class OwnCells:
    """The student's own cells by their place, and the names that their code binds."""

    def __init__(self, cells: Iterable[SubmittedCell]) -> None:
        self._by_position = {cell.position: cell for cell in cells}

    def beside(self, position: int, step: int, kinds: tuple[str, ...]) -> list[SubmittedCell]:
        """Own cells of `kinds` that follow one another from `position` on, downwards with step 1, upwards with -1."""
        run: list[SubmittedCell] = []
        while len(run) < _FARTHEST:
            position += step
            cell = self._by_position.get(position)
            if cell is None or cell.kind not in kinds:
                break
            run.append(cell)
        return run

    def binding(self, names: Iterable[str]) -> list[SubmittedCell]:
        """Own code cells that bind one of `names`, in the order of the file."""
        found = {cell.position: cell for name in names for cell in self._binding.get(name, [])}
        return [found[position] for position in sorted(found)]

    @cached_property
    def _binding(self) -> dict[str, list[SubmittedCell]]:
        code = [OwnCode(cell.position, cell.source) for cell in self._by_position.values() if cell.kind == "code"]
        binding: dict[str, list[SubmittedCell]] = {}
        for piece, bound in own_code_names(code):
            for name in bound.defined:
                binding.setdefault(name, []).append(self._by_position[piece.position])
        return binding


def join_code(known: KnownCell, marked: list[SubmittedCell], own: OwnCells) -> Answer:
    """The answer to an exercise or a quiz from the cells that go by its name, and from what was split off them."""
    answer = _join(known, marked, "\n", compiles)
    if marked and not known.is_untouched(answer.source):
        _add_split(answer, marked, own)
    lacking = known.defines - names_of(answer.source).defined
    if known.is_untouched(answer.source) or lacking:
        _add_binding(known, answer, lacking or known.defines, own)
    return answer


def join_text(known: KnownCell, marked: list[SubmittedCell], prompt: list[SubmittedCell], own: OwnCells) -> Answer:
    """The answer to a free-text question; text cells of the student's own right below it or its prompt belong to it."""
    answer = _join(known, marked, "\n\n", bool)
    above = (marked or prompt)[-1:]
    extra = (
        [cell for cell in own.beside(above[0].position, 1, ("markdown", "raw")) if cell.source.strip()] if above else []
    )
    if extra:
        start = [] if known.is_untouched(answer.source) else [answer.source]
        answer.source = "\n\n".join(start + [cell.source for cell in extra])
        answer.position = extra[-1].position
        answer.used += [cell.position for cell in extra]
        answer.repairs.append("goes on in text cells right below it; they were taken along")
    return answer


def _join(known: KnownCell, cells: list[SubmittedCell], glue: str, is_whole: Callable[[str], bool]) -> Answer:
    """Drop released text beside an answer; join several answers if that makes a whole, else the last counts."""
    if not cells:
        return Answer()
    answer = Answer(position=cells[-1].position, repairs=_retyped(known, cells))
    written = [cell for cell in cells if not known.is_untouched(cell.source)]
    pieces = _without_repeats([cell.source for cell in written or cells])[-_MOST_PIECES:]
    answer.position = (written or cells)[-1].position
    answer.source = pieces[-1]
    if len(pieces) > 1:
        answer.source = _best(pieces, glue, is_whole)
        how = (
            "they were joined in order" if answer.source == glue.join(pieces) else "the last one that can run was used"
        )
        answer.repairs.append(f"stood in {len(written)} cells; {how}")
    elif len(cells) > 1:
        answer.repairs.append(f"stood in {len(cells)} cells; the one that was worked on was used")
    return answer


def _best(pieces: list[str], glue: str, is_whole: Callable[[str], bool]) -> str:
    whole = glue.join(pieces)
    if is_whole(whole):
        return whole
    return next((piece for piece in reversed(pieces) if is_whole(piece)), pieces[-1])


def _without_repeats(pieces: list[str]) -> list[str]:
    """Of pieces that are equal up to whitespace, the last one stays."""
    last = {" ".join(piece.split()): index for index, piece in enumerate(pieces)}
    return [pieces[index] for index in sorted(last.values())]


def _retyped(known: KnownCell, cells: list[SubmittedCell]) -> list[str]:
    kinds = {cell.kind for cell in cells} - {known.cell_type}
    name = {"markdown": "text"}
    return [f"had become a {name.get(kind, kind)} cell; it was turned back" for kind in sorted(kinds)]


def _add_split(answer: Answer, marked: list[SubmittedCell], own: OwnCells) -> None:
    """A split cell leaves a piece without a name, which is no Python alone or without which the other is none."""
    below = own.beside(marked[-1].position, 1, ("code",))
    above = own.beside(marked[0].position, -1, ("code",))
    for run, joined in ((below, _downwards), (above, _upwards)):
        for count in range(1, len(run) + 1):
            if compiles(answer.source) and compiles(run[0].source):
                break
            whole = joined(answer.source, run[:count])
            if compiles(whole):
                answer.source = whole
                answer.position = max(answer.position, *(cell.position for cell in run[:count]))
                answer.used += [cell.position for cell in run[:count]]
                answer.repairs.append(f"had been split into {count + 1} cells; they were joined")
                break


def _downwards(source: str, run: list[SubmittedCell]) -> str:
    return "\n".join([source, *(cell.source for cell in run)])


def _upwards(source: str, run: list[SubmittedCell]) -> str:
    return "\n".join([*(cell.source for cell in reversed(run)), source])


def _add_binding(known: KnownCell, answer: Answer, names: Iterable[str], own: OwnCells) -> None:
    """What the answer has to define may stand in a cell that lost its name, or in a new one."""
    cells = [
        cell for cell in own.binding(names) if cell.position not in answer.used and not known.is_untouched(cell.source)
    ][-_MOST_PIECES:]
    if not cells:
        return
    pieces = [(cell.position, cell.source) for cell in cells]
    if not known.is_untouched(answer.source):
        pieces.append((answer.position, answer.source))
    texts = _without_repeats([source for _, source in sorted(pieces)])
    answer.source = _best(texts, "\n", compiles)
    answer.position = max(position for position, _ in pieces)
    answer.used += [cell.position for cell in cells if cell.source.strip()]
    defined = ", ".join(sorted(known.defines))
    answer.repairs.append(f"was found in a cell without its name, which defines {defined}")
