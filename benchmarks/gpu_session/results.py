"""What a session keeps: one folder of at most eight files, each small enough to send anywhere.

session.json        the machine, and every part with its status, seconds and commit
summary.txt         what was printed at the end
failures.txt        the messages of what failed
benchmarks-1.json   the families' rows, as many in a file as fit; up to five files. Rows are lists; `columns` names
                    what stands in them
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["MOST_BYTES", "MOST_FILES", "Session"]

MOST_FILES, MOST_BYTES = 8, 60_000
BENCHMARK_FILES = MOST_FILES - 3
LEFT_OUT = ("parameters", "correct", "limit_seconds", "seconds.samples")  # other columns say the same
Document = dict[str, Any]


class Session:
    """The folder's contents. `save` after every part: a session may end at any moment.

    machine     what the numbers were measured on.
    parts       name: {"status", "seconds", "said", "commit"}.
    failures    name: messages, of the parts that did not pass.
    documents   family: what its benchmark measured, without what stands elsewhere.
    """

    def __init__(self, folder: Path, copy_to: Path | None = None) -> None:
        self.folder = folder
        self.copy_to = copy_to
        kept = _read(folder / "session.json")
        self.machine: dict[str, Any] = kept.get("machine", {})
        self.parts: dict[str, dict[str, Any]] = kept.get("parts", {})
        self.failures: dict[str, list[str]] = kept.get("failures", {})
        self.documents: dict[str, Document] = {}
        for path in sorted(folder.glob("benchmarks-*.json")):
            self.documents |= {family: _with_named_rows(document) for family, document in _read(path).items()}

    def begin(self, machine: dict[str, Any]) -> None:
        """Go on with what was measured on this device; what another measured is none of this session's."""
        if self.machine.get("device", machine["device"]) != machine["device"]:
            self.parts, self.failures, self.documents = {}, {}, {}
        self.machine = machine

    def forget(self, names: Sequence[str]) -> None:
        """Parts that are to run again."""
        for name in names:
            self.parts.pop(name, None)
            self.failures.pop(name, None)

    def keep(self, family: str, document: Mapping[str, Any]) -> None:
        """A benchmark's document: numbers to four digits; how many checks were right, and which were wrong."""
        slim = {key: value for key, value in document.items() if key not in ("machine", "checks")}
        checks = document.get("checks", [])
        slim["checks_right"] = sum(check.get("correct", False) for check in checks)
        slim["checks_wrong"] = [check for check in checks if check.get("correct") is False]
        slim["rows"] = [_flat(row) for row in document.get("rows", [])]
        self.documents[family] = _rounded(slim)

    def save(self, summary: str = "") -> None:
        """Write all files anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        failures = {name: [_cut(each, 1500) for each in messages[:8]] for name, messages in self.failures.items()}
        session = {"machine": self.machine, "parts": self.parts, "failures": failures}
        text = json.dumps(session, indent=1)
        if len(text.encode()) > MOST_BYTES:
            text = json.dumps({**session, "failures": {name: [] for name in failures}}, indent=1)
        files = {"session.json": text, "summary.txt": _cut(summary, MOST_BYTES)}
        told = "\n\n".join(message for messages in failures.values() for message in messages)
        files["failures.txt"] = _cut(told, MOST_BYTES)
        for number, pack in enumerate(packed(self.documents), 1):
            files[f"benchmarks-{number}.json"] = _compact(pack)
        for old in self.folder.glob("benchmarks-*.json"):
            if old.name not in files:
                old.unlink()
        for name, content in files.items():
            _write(self.folder / name, content)
        if self.copy_to is not None:
            self.copy_to.mkdir(parents=True, exist_ok=True)
            for name in files:
                shutil.copyfile(self.folder / name, self.copy_to / name)


def packed(documents: Mapping[str, Document]) -> list[dict[str, Document]]:
    """The documents in as few files as hold them; where five do not, with fewer rows of each."""
    for rows in (_all, _ours_and_best_peers, _best_of_ours, _none):
        files: list[dict[str, Document]] = []
        for family, document in documents.items():
            one = {family: {**document, "rows": rows(document["rows"])}}
            if not files or len(_compact(files[-1] | one).encode()) > MOST_BYTES:
                files.append({})
            files[-1] |= one
        if len(files) <= BENCHMARK_FILES and all(len(_compact(file).encode()) <= MOST_BYTES for file in files):
            return files
    raise ValueError(f"{len(documents)} documents without any row do not fit into {BENCHMARK_FILES} files")


def _all(rows: Sequence[Document]) -> list[Document]:
    return list(rows)


def _none(rows: Sequence[Document]) -> list[Document]:
    return []


def _ours_and_best_peers(rows: Sequence[Document]) -> list[Document]:
    return [row for row in rows if row["ours"] or row.get("ratio_to_best_peer") == 1]


def _best_of_ours(rows: Sequence[Document]) -> list[Document]:
    best: dict[str, Document] = {}
    for row in rows:
        ratio = row.get("ratio_to_best_peer", 0) if row["ours"] else 0
        if ratio and ratio > best.get(row["case"], {}).get("ratio_to_best_peer", 0):
            best[row["case"]] = row
    return list(best.values())


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _flat(row: Mapping[str, Any]) -> Document:
    """{"seconds": {"median": 1}} becomes {"seconds.median": 1}."""
    flat: Document = {}
    for key, value in row.items():
        if key not in LEFT_OUT:
            flat |= (
                {f"{key}.{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {key: value}
            )
    return {key: value for key, value in flat.items() if key not in LEFT_OUT}


def _compact(documents: Mapping[str, Document]) -> str:
    """JSON with a line for each row: a third of the size that names in every row would make."""
    written = []
    for family, document in documents.items():
        columns = list(dict.fromkeys(key for row in document["rows"] for key in row))
        head = json.dumps({key: value for key, value in document.items() if key != "rows"} | {"columns": columns})[:-1]
        rows = ",\n".join(json.dumps([row.get(column) for column in columns]) for row in document["rows"])
        written.append(f'{json.dumps(family)}: {head}, "rows": [\n{rows}\n]}}')
    return "{\n" + ",\n".join(written) + "\n}\n"


def _with_named_rows(document: Document) -> Document:
    """What `_compact` wrote, as it was; an empty place is a key that the row lacks."""
    columns = document.pop("columns")
    rows = [
        {key: value for key, value in zip(columns, row, strict=True) if value is not None} for row in document["rows"]
    ]
    return {**document, "rows": rows}


def _cut(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 20].decode(errors="ignore") + "\n... (cut)\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or one whose writing was cut short: its parts run again
        return {}


def _write(path: Path, content: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(path)
