"""Writes small courses in the layout of the real one, for tests, exploits and benchmarks.

    root = make_course(folder, Parts("1a_sums", "lab1_sums", text=CELLS, questions=QUESTIONS))

Only this file and `course_lib` know what a course consists of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import course_lib
from course_lib.workbook import SourceNotebook, source_notebooks

__all__ = ["START", "Parts", "make_course"]

STAFF = Path(__file__).resolve().parents[1]
TEXT, MARKING = "solutions", STAFF.name
START = """\
# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import math

"""
README = "# Small\n\n<!-- table of labs: written by `course build` -->\n<!-- end of table -->\n"
START_HERE = "# %% [markdown]\n# # Start here\n#\n# <!-- table of labs -->\n"
FORMS = {"demo": "experiment", "quiz": "question"}  # the syllabus' words for kinds of cells


@dataclass(frozen=True)
class Parts:
    """What the two folders of one notebook hold.

    text    its cells below those of `start`; of several sections, by name, the first one's come first.
    start   the cells of parameters and set-up.
    questions, answers, quiz  whole files; empty for none.
    """

    id: str
    lab: str
    text: str | Mapping[str, str]
    start: str = START
    questions: str = ""
    answers: str = ""
    quiz: str = ""
    title: str = "Small"
    summary: str = "A small notebook."
    minutes: int = 5

    @property
    def header(self) -> str:
        return (
            f"# ---\n# course:\n#   title: {self.title}\n#   minutes: {self.minutes}\n"
            f"#   summary: {self.summary}\n# ---\n\n"
        )

    def write(self, root: Path) -> None:
        """Write the notebook's two folders into the course at `root`."""
        _write(root, self._files())

    def _files(self) -> dict[Path, str]:
        sections = {"01_start.py": self.text} if isinstance(self.text, str) else dict(self.text)
        first = min(sections)
        sections[first] = self.header + self.start + sections[first]
        marking = {"questions.py": self.questions, "answers.py": self.answers, "quiz.toml": self.quiz}
        place = Path(self.lab, self.id)
        return {TEXT / place / name: content for name, content in sections.items()} | {
            MARKING / place / name: content for name, content in marking.items() if content
        }


def make_course(root: Path, *notebooks: Parts, whole: bool = False) -> Path:
    """Write a course of these notebooks, whose syllabus has the topics that their cells name; returns `root`.

    whole  its library and graders are this project's, so that every command works in it and `course build` asks
        staff; else its course_lib is an empty folder.
    """
    staff = f'commands = "{MARKING}.command"\nrefusals = "{MARKING}.authoring.refusals:refusals"\n' if whole else ""
    labs = [
        f"{lab[3:].partition('_')[0]},{lab},Small,Small things."
        for lab in dict.fromkeys(book.lab for book in notebooks)
    ]
    common = {
        Path("pyproject.toml"): f'[tool.course]\ntext = "{TEXT}"\nmarking = "{MARKING}"\n{staff}',
        Path("README.md"): README,
        Path(TEXT, "start_here.py"): START_HERE,
        Path(TEXT, "labs.csv"): "\n".join(["number,lab,title,goal", *labs, ""]),
    }
    _write(root, common)
    for notebook in notebooks:
        notebook.write(root)
    if whole:
        _link(root)
    else:
        (root / "course_lib").mkdir(exist_ok=True)
    rows = [row for notebook in source_notebooks(root).values() for row in _topics(notebook)]
    _write(root, {Path(TEXT, "syllabus.csv"): "\n".join(["id,title,notebook,form,source", *rows, ""])})
    return root


def _write(root: Path, files: Mapping[Path, str]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")


def _topics(notebook: SourceNotebook) -> list[str]:
    forms = {topic: FORMS.get(cell.kind, cell.kind) for cell in notebook.cells for topic in cell.topics}
    return [f"{topic},{topic.capitalize()},{notebook.id},{form},000" for topic, form in forms.items()]


def _link(root: Path) -> None:
    (root / "course_lib").symlink_to(Path(course_lib.__file__).parent)
    (root / MARKING).mkdir(exist_ok=True)
    for path in STAFF.iterdir():
        if path.name != "__pycache__" and not path.name.startswith("lab"):
            (root / MARKING / path.name).symlink_to(path)
