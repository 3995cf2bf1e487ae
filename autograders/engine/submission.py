"""One student's hand-in, as intake leaves it in the workspace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["Submission"]


@dataclass(frozen=True)
class Submission:
    """The files of one student for one lab.

    student   the name of the folder, or of the student in the LMS's file name; safe as a file name.
    files     notebook id such as "1a_neural_networks" -> the submitted file's bytes.
    problems  sentences about what was refused or missing; the student's report shows them.
    """

    student: str
    lab: str
    files: dict[str, bytes]
    problems: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Over name and content of every file, in the order of names."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            content = self.files[name]
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()
