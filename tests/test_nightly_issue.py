"""The script that keeps one issue while nightly runs fail, with a make-believe `gh`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
URL = "https://example.org/runs/7"
GH = """\
#!{python}
import json, pathlib, sys
words = sys.argv[1:]
if "--body-file" in words:
    words[words.index("--body-file") + 1] = pathlib.Path(words[words.index("--body-file") + 1]).read_text()
with open("calls", "a") as file:
    file.write(json.dumps(words) + "\\n")
if words[:2] == ["issue", "list"]:
    print({number!r})
sys.exit({code} if words[1] != "list" else 0)
"""


@pytest.fixture
def night(tmp_path):
    """Runs the script in a folder with a summary; returns its exit code and what it asked of gh beyond the list."""
    (tmp_path / "build/nightly").mkdir(parents=True)
    (tmp_path / "build/nightly/summary.md").write_text("## Failed: lint\n")

    def run(status, *, number="", code=0):
        gh = tmp_path / "bin/gh"
        gh.parent.mkdir(exist_ok=True)
        gh.write_text(GH.format(python=sys.executable, number=number, code=code))
        gh.chmod(0o755)
        environment = {**os.environ, "PATH": f"{gh.parent}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", str(ROOT / "tools/nightly_issue.sh"), status, URL], cwd=tmp_path, env=environment)
        calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        assert calls[0][:2] == ["issue", "list"] and "open" in calls[0]
        return done.returncode, calls[1:]

    run.folder = tmp_path
    return run


def test_the_first_failure_opens_an_issue_with_the_summary(night):
    code, [create] = night("failure")
    assert code == 0
    assert create[:4] == ["issue", "create", "--title", "The nightly run fails"]
    assert "## Failed: lint" in create[-1] and URL in create[-1]


def test_the_next_one_brings_it_up_to_date(night):
    _, [edit, comment] = night("failure", number="12")
    assert edit[:3] == ["issue", "edit", "12"] and "## Failed: lint" in edit[-1]
    assert comment[:3] == ["issue", "comment", "12"] and URL in comment[-1]


def test_a_night_that_passes_closes_it(night):
    _, [close] = night("success", number="12")
    assert close[:3] == ["issue", "close", "12"] and URL in close[-1]


def test_with_nothing_open_a_good_night_asks_for_nothing(night):
    assert night("success") == (0, [])


def test_a_run_that_ended_early_is_said(night):
    (night.folder / "build/nightly/summary.md").unlink()
    _, [create] = night("failure")
    assert "before it could say what failed" in create[-1]


def test_an_error_of_gh_fails_the_step(night):
    code, _ = night("failure", code=4)
    assert code == 4
