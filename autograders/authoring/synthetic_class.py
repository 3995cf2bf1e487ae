"""A made-up class for tests and benchmarks: submissions of every kind, from a seed, with the marks they must get.

    expected = make_class(folder, count=100, seed=0, root=course, lab="lab1_cnn_basics")

writes `folder/submissions/STUDENT/NOTEBOOK.ipynb` and the same work as Canvas, Moodle and Gradescope hand it out:
`canvas.zip`, `moodle.zip`, `gradescope.zip`.
"""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from autograders.authoring.answers import Answer, read_answers
from autograders.engine.intake.student_names import safe_name
from autograders.exploits.notebook_file import handed_in
from autograders.exploits.transplant import movable, moved
from course_lib.course_root import places
from course_lib.errors import CourseError
from course_lib.workbook import SourceNotebook, source_notebooks

__all__ = ["KINDS", "Expected", "make_class"]

KINDS = {"solution": 35, "partial": 20, "wrong": 20, "damaged": 12, "hostile": 8, "stub": 5}  # shares of a class
LAST = (
    "Adeyemi",
    "Berg",
    "Chen",
    "Duarte",
    "Eze",
    "Fischer",
    "García",
    "Haddad",
    "Ivanova",
    "Jørgensen",
    "Kim",
    "O'Neil",
)
FIRST = ("Ada", "Bo", "Chloé", "Dmitri", "Emi", "Farid", "Grace", "Hui", "İpek", "Jan", "Kofi", "Lucía", "Mei", "Zoë")


@dataclass(frozen=True)
class Expected:
    """What grading must make of one student.

    kind    one of KINDS.
    score   points of exercises and quizzes: exactly these, or if not `exact` at most these.
    below   whether `score` itself is too much.
    what    what was done, in words.
    names   layout ("folder", "canvas", "moodle", "gradescope") -> the student's name after intake.
    """

    kind: str
    score: float
    exact: bool = True
    below: bool = False
    what: str = ""
    names: dict[str, str] = field(default_factory=dict)

    def allows(self, score: float) -> bool:
        if self.exact:
            return abs(score - self.score) < 1e-6
        return score < self.score - 1e-6 if self.below else score <= self.score + 1e-6


@dataclass(frozen=True)
class _Work:
    """One student's files, and what they are worth."""

    files: dict[str, bytes]
    expected: Expected


def make_class(folder: Path, count: int, seed: int, root: Path, lab: str) -> dict[str, Expected]:
    """Write `count` submissions; returns what must become of each, by the student's name in `folder/submissions`.

    Equal arguments make equal files. From 6 students on every kind is there. Raises CourseError for an unknown lab.
    """
    notebooks = [source for source in source_notebooks(root).values() if source.lab == lab]
    if not notebooks:
        raise CourseError(f"there is no lab {lab!r} in {places(root).text}")
    draw = random.Random(f"{seed}/{lab}")
    maker = _Maker(root, notebooks, draw)
    people = [_Person.drawn(number, draw) for number in range(count)]
    works = [getattr(maker, kind)() for kind in _kinds(count, draw)]
    folder.mkdir(parents=True, exist_ok=True)
    for person, work in zip(people, works, strict=True):
        for name, raw in work.files.items():
            place = folder / "submissions" / person.names["folder"] / f"{name}.ipynb"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(raw)
    for layout, paths in (("canvas", _canvas), ("moodle", _moodle), ("gradescope", _gradescope)):
        _write_zip(folder / f"{layout}.zip", people, works, paths)
    return {
        person.names["folder"]: _named(work.expected, person.names) for person, work in zip(people, works, strict=True)
    }


def _kinds(count: int, draw: random.Random) -> list[str]:
    kinds = [*KINDS][:count]
    kinds += draw.choices([*KINDS], [*KINDS.values()], k=count - len(kinds))
    draw.shuffle(kinds)
    return kinds


class _Maker:
    """One method for each of KINDS."""

    def __init__(self, root: Path, notebooks: list[SourceNotebook], draw: random.Random) -> None:
        self.notebooks, self.draw = notebooks, draw
        self.points = {
            source.id: {cell.id: float(cell.points or 0) for cell in source.text.of_kind("check", "quiz")}
            for source in notebooks
        }
        self.full = sum(sum(points.values()) for points in self.points.values())
        answers = [(source, cell) for source in notebooks for cell in read_answers(source)]
        self.wrong_answers = [(source, cell) for source, cell in answers if cell.kind == "wrong"]
        self.right_answers = [(source, cell) for source, cell in answers if cell.kind == "right"]

    def solution(self) -> _Work:
        """Staff's own answers, or some of those that are written differently."""
        chosen = self.draw.sample(self.right_answers, min(len(self.right_answers), self.draw.randrange(4)))
        return self._replaced("solution", chosen, Expected("solution", self.full, what=_words(chosen)))

    def stub(self) -> _Work:
        files = {source.id: _file(source, {}, solved=False) for source in self.notebooks}
        return _Work(files, Expected("stub", 0.0, what="as released"))

    def partial(self) -> _Work:
        """Some exercises and quizzes answered, the others as released; sometimes a notebook is missing."""
        files, score, missing = {}, 0.0, []
        for number, source in enumerate(self.notebooks):
            if number and self.draw.random() < 0.15:
                missing.append(source.id)
                continue
            cells = source.text.of_kind("exercise", "quiz")
            solved = {cell.id: cell.source for cell in cells if self.draw.random() < 0.6}
            score += sum(self.points[source.id].get(name, 0.0) for name in solved)
            files[source.id] = _file(source, solved, solved=False)
        what = f"without {', '.join(missing)}" if missing else "some answered"
        return _Work(files, Expected("partial", score, what=what))

    def wrong(self) -> _Work:
        """One to three of the named mistakes that staff keep, in different exercises."""
        if not self.wrong_answers:
            return self.partial()
        chosen: dict[str, tuple[SourceNotebook, Answer]] = {}
        for source, cell in self.draw.sample(self.wrong_answers, min(len(self.wrong_answers), 3)):
            chosen.setdefault(cell.id, (source, cell))
        entries = [*chosen.values()][: self.draw.randrange(1, 4)]
        expected = Expected("wrong", self.full, exact=False, below=True, what=_words(entries))
        return self._replaced("wrong", entries, expected)

    def damaged(self) -> _Work:
        """One notebook's file is damaged: nothing of it can be read, or all of it in spite of that."""
        source = self.draw.choice(self.notebooks)
        name, damage, share = self.draw.choice(_DAMAGES)
        files = {entry.id: _file(entry, {}) for entry in self.notebooks}
        files[source.id] = damage(files[source.id])
        lost = (1 - share) * sum(self.points[source.id].values())
        return _Work(files, Expected("damaged", self.full - lost, what=f"{source.id}: {name}"))

    def hostile(self) -> _Work:
        """An attack stands in place of one exercise, all others are solved."""
        source = self.draw.choice([source for source in self.notebooks if source.text.of_kind("exercise")])
        exercise = self.draw.choice(source.text.of_kind("exercise"))
        exploit = self.draw.choice(movable())
        files = {entry.id: _file(entry, {}) for entry in self.notebooks}
        files[source.id] = _file(source, {exercise.id: moved(exploit, exercise)})
        most = self.full - self.points[source.id].get(exercise.id, 0.0)
        return _Work(files, Expected("hostile", most, exact=False, what=f"{exercise.id}: {exploit.name}"))

    def _replaced(self, kind: str, entries: list[tuple[SourceNotebook, Answer]], expected: Expected) -> _Work:
        files = {}
        for source in self.notebooks:
            files[source.id] = _file(source, {cell.id: cell.source for where, cell in entries if where is source})
        return _Work(files, expected)


def _file(source: SourceNotebook, answers: dict[str, str], *, solved: bool = True) -> bytes:
    return json.dumps(handed_in(source, answers, solved=solved), ensure_ascii=False).encode()


def _words(entries: list[tuple[SourceNotebook, Answer]]) -> str:
    return "; ".join(f"{cell.id}: {cell.name}" for _, cell in entries)


def _altered(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    def damage(raw: bytes) -> bytes:
        notebook = json.loads(raw)
        change(notebook)
        return json.dumps(notebook).encode()

    return damage


def _without_names(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {}


# name, damage, share of the notebook's points that is left
_DAMAGES: tuple[tuple[str, Callable[[bytes], bytes], float], ...] = (
    ("empty", lambda raw: b"", 0.0),
    ("broken off", lambda raw: raw[: len(raw) // 2], 0.0),
    ("no notebook", lambda raw: b"PK\3\4" + raw[::-1], 0.0),
    ("saved as UTF-16", lambda raw: raw.decode().encode("utf-16"), 1.0),
    ("byte order mark", lambda raw: b"\xef\xbb\xbf" + raw, 1.0),
    ("cells in reverse", _altered(lambda notebook: notebook["cells"].reverse()), 1.0),
    ("nbgrader's entries removed", _altered(_without_names), 1.0),
)


@dataclass(frozen=True)
class _Person:
    first: str
    last: str
    number: int
    late: bool

    @classmethod
    def drawn(cls, number: int, draw: random.Random) -> _Person:
        return cls(draw.choice(FIRST), draw.choice(LAST), 1_000_001 + number, draw.random() < 0.1)

    @property
    def names(self) -> dict[str, str]:
        plain = re.sub(r"\W", "", f"{self.last}{self.first}".lower())
        raw = {
            "folder": f"{plain}{self.number}",
            "canvas": f"{plain}_{self.number}",
            "moodle": f"{self.first} {self.last}_{self.number}",
            "gradescope": f"s{self.number}",
        }
        return {layout: safe_name(name) for layout, name in raw.items()}


_Path = Callable[[_Person, str, int], str]


def _canvas(person: _Person, notebook: str, number: int) -> str:
    plain = re.sub(r"\W", "", f"{person.last}{person.first}".lower())
    return f"{plain}_{'LATE_' if person.late else ''}{person.number}_{9 * person.number + number}_{notebook}.ipynb"


def _moodle(person: _Person, notebook: str, number: int) -> str:
    return f"{person.first} {person.last}_{person.number}_assignsubmission_file_/{notebook}.ipynb"


def _gradescope(person: _Person, notebook: str, number: int) -> str:
    return f"assignment_77_export/submission_{person.number}/{notebook}.ipynb"


def _write_zip(path: Path, people: list[_Person], works: list[_Work], place: _Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _entries(people, works, place):
            # a fixed date: equal arguments make equal files
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def _entries(people: list[_Person], works: list[_Work], place: _Path) -> Iterator[tuple[str, bytes]]:
    if place is _gradescope:
        roster = {
            f"submission_{person.number}": {
                ":submitters": [{":name": f"{person.first} {person.last}", ":sid": f"s{person.number}", ":email": ""}]
            }
            for person in people
        }
        yield "assignment_77_export/submission_metadata.yml", yaml.safe_dump(roster, allow_unicode=True).encode()
    for person, work in zip(people, works, strict=True):
        for number, (notebook, raw) in enumerate(work.files.items()):
            yield place(person, notebook, number), raw


def _named(expected: Expected, names: dict[str, str]) -> Expected:
    return Expected(expected.kind, expected.score, expected.exact, expected.below, expected.what, names)
