"""`course build`: text sources -> student notebooks in `labs/`, byte-identical for equal text."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from course_lib.course_root import places
from course_lib.workbook.readme import readme_with_table
from course_lib.workbook.refusals import refusals
from course_lib.workbook.release import release, write_sources
from course_lib.workbook.source import SourceNotebook, source_notebooks
from course_lib.workbook.staff_refusals import staff_refusals
from course_lib.workbook.start_here import start_here

__all__ = ["BuildReport", "build"]


@dataclass
class BuildReport:
    """What a build did: files written, relative to the course's root, and faults for a person to mend."""

    written: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def build(root: Path, *, check: bool = False) -> BuildReport:
    """Build every notebook of the course at `root`.

    check  write nothing; report each file of `labs/` that is not exactly what the sources build.

    With faults in the sources nothing is built. Raises CourseError for a file that cannot be read.
    """
    notebooks = source_notebooks(root)
    problems = [*refusals(root, notebooks.values()), *staff_refusals(root, notebooks.values())]
    if problems:
        return BuildReport(problems=problems)
    readme = readme_with_table(root, notebooks)
    with TemporaryDirectory() as scratch:
        sources, built = Path(scratch, "source"), Path(scratch, "labs")
        _build_into(root, notebooks, sources, built)
        if check:
            return BuildReport(problems=_differences(root, built) + _stale_readme(root, readme))
        _replace_sources(sources, root / "build" / "source")
        report = _install(root, built)
        if _stale_readme(root, readme):
            (root / "README.md").write_text(readme, encoding="utf-8")
            report.written.append(Path("README.md"))
        return report


def _build_into(root: Path, notebooks: dict[str, SourceNotebook], sources: Path, built: Path) -> None:
    write_sources(notebooks.values(), sources)
    release(notebooks.values(), built)
    built.mkdir(exist_ok=True)
    nbformat.write(start_here(root, notebooks), built / "start_here.ipynb")


def _replace_sources(sources: Path, destination: Path) -> None:
    """Solution notebooks, kept where nbgrader's configuration for this course looks for them."""
    shutil.rmtree(destination, ignore_errors=True)
    shutil.copytree(sources, destination)


def _install(root: Path, built: Path) -> BuildReport:
    """Bring `labs/` to the built state, touching only files that change and losing none."""
    labs, report = root / "labs", BuildReport()
    wanted = _files(built)
    report.problems += _orphans(root, wanted, _files(labs))
    for file in sorted(wanted):
        if not _same(labs / file, built / file):
            _keep_old(root, labs / file)
            (labs / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(built / file, labs / file)
            report.written.append(Path("labs", file))
    return report


def _keep_old(root: Path, path: Path) -> None:
    """A file about to be replaced may hold somebody's answers: `build/replaced/` keeps one copy of each version."""
    if path.exists():
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        copy = root / "build" / "replaced" / f"{path.stem}-{version}{path.suffix}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _differences(root: Path, built: Path) -> list[str]:
    labs = root / "labs"
    wanted, present = _files(built), _files(labs)
    missing = [f"labs/{file} is missing; run `course build`" for file in sorted(wanted - present)]
    stale = [
        f"labs/{file} is not what its source builds: it was edited by hand, or its source changed since the last "
        f"build; edit {places(root).text.name}/ only, then run `course build`"
        for file in sorted(wanted & present)
        if not _same(labs / file, built / file)
    ]
    return missing + _orphans(root, wanted, present) + stale


def _orphans(root: Path, wanted: set[Path], present: set[Path]) -> list[str]:
    text = places(root).text.name
    return [f"labs/{file} has no source in {text}/; move or remove it" for file in sorted(present - wanted)]


def _stale_readme(root: Path, wanted: str) -> list[str]:
    if (root / "README.md").read_text(encoding="utf-8") == wanted:
        return []
    return ["README.md has an old table of labs; run `course build`"]


def _files(folder: Path) -> set[Path]:
    """Relative paths of all files, but for what editors keep in hidden folders."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if not any(part.startswith(".") for part in path.parts)}


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.read_bytes() == other.read_bytes()
