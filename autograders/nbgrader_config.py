"""nbgrader's configuration for this course. Run nbgrader from the folder this file is in:

    course build
    cd autograders
    nbgrader generate_assignment lab1_cnn_basics
    nbgrader autograde lab1_cnn_basics
    nbgrader generate_feedback lab1_cnn_basics

Submissions, marks and feedback live outside the source tree, in the folder that COURSE_WORKSPACE names or in
`~/course_workspace`: `submitted/STUDENT/LAB/NOTEBOOK.ipynb` goes in, `gradebook.db`, `autograded/` and `feedback/`
come out. Solution notebooks are those that `course build` left in `build/source/`; what generate_assignment writes
to `release/` equals `labs/`.

`nbgrader autograde`, and Formgrader's button with it, runs submissions in the same sandbox and asks the same hidden
questions as `course grade`, which is many times faster for a whole class. Grading needs bubblewrap: `course doctor`
says whether it is there. Releasing and feedback are nbgrader's own.
"""

import os
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(COURSE))  # autograders/ is not installed

from autograders.nbgrader_executor import SandboxedExecute, TakeAnswers  # noqa: E402
from course_lib.workbook.nbgrader_settings import nbgrader_settings  # noqa: E402

WORKSPACE = Path(os.environ.get("COURSE_WORKSPACE", Path.home() / "course_workspace")).expanduser().resolve()
WORKSPACE.mkdir(parents=True, exist_ok=True)

# nbgrader starts `alembic` by name to create a gradebook; it stands beside this Python
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

c = get_config()  # type: ignore[name-defined] # noqa: F821 - nbgrader defines it while it reads this file
c.merge(nbgrader_settings(WORKSPACE, source=COURSE / "build" / "source"))

# what reads a submission and what runs it are ours; the rest of nbgrader's steps stay
steps = ["IgnorePattern", "LimitOutput", "SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata"]
c.Autograde.sanitize_preprocessors = [TakeAnswers]
c.Autograde.autograde_preprocessors = [SandboxedExecute, *(f"nbgrader.preprocessors.{step}" for step in steps)]
c.HTMLExporter.sanitize_html = True
