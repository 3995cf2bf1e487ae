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

Plain nbgrader runs a submission with your rights on your machine: use it on work you trust.
"""

import os
import sys
from pathlib import Path

from course_lib.workbook.nbgrader_settings import nbgrader_settings

COURSE = Path(__file__).resolve().parent.parent
WORKSPACE = Path(os.environ.get("COURSE_WORKSPACE", Path.home() / "course_workspace")).expanduser().resolve()
WORKSPACE.mkdir(parents=True, exist_ok=True)

# nbgrader starts `alembic` by name to create a gradebook; it stands beside this Python
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

c = get_config()  # noqa: F821 - nbgrader defines it while it reads this file
c.merge(nbgrader_settings(WORKSPACE, source=COURSE / "build" / "source"))
