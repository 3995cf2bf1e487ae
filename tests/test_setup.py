"""The way from a fresh clone to a working environment: Makefile, tools/, the lock, environment.yml, CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SETUP_FILES = ("Makefile", "pyproject.toml", "constraints.txt", "tools")


def locked(python="3.11", platform="linux"):
    """Package -> version for one Python and platform, read from the lock."""
    here = default_environment() | {
        "python_version": python, "python_full_version": f"{python}.9", "sys_platform": platform,
        "platform_machine": "arm64" if platform == "darwin" else "x86_64",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform],
        "os_name": "nt" if platform == "win32" else "posix",
    }  # fmt: skip
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    entries = [entry for entry in map(Requirement, lines) if not entry.marker or entry.marker.evaluate(here)]
    names = [canonicalize_name(entry.name) for entry in entries]
    assert len(names) == len(set(names)), "one version for each package"
    return {name: str(entry.specifier) for name, entry in zip(names, entries, strict=True)}


class TestLock:
    @pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
    @pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
    def test_holds_one_exact_version_of_all_that_pyproject_asks_for(self, python, platform):
        versions = locked(python, platform)
        assert all(re.fullmatch(r"==[\w.]+", version) for version in versions.values())  # no "+cpu", no range
        extras = [entry for group in PROJECT["optional-dependencies"].values() for entry in group]
        for requirement in map(Requirement, PROJECT["dependencies"] + extras):
            needed = not requirement.marker or requirement.marker.evaluate({"sys_platform": platform})
            if needed and requirement.name != PROJECT["name"]:
                version = versions[canonicalize_name(requirement.name)].removeprefix("==")
                assert Version(version) in requirement.specifier, requirement.name

    def test_nvrtc_is_the_one_that_torch_is_built_with(self):
        """A CUDA build of torch asks for exactly one; another in the lock could not be installed beside it."""
        versions = locked()
        toolkit = versions["cuda-toolkit"].removeprefix("==").split(".")[:2]
        assert versions["nvidia-cuda-nvrtc"].removeprefix("==").split(".")[:2] == toolkit


def test_environment_yml_has_the_locks_versions():
    text = (ROOT / "environment.yml").read_text()
    entries = [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip().startswith("- ")]
    assert "python=3.11" in entries
    assert {"--constraint constraints.txt", "--editable ."} <= set(entries)
    pins = dict(entry.split("==") for entry in entries if "==" in entry)
    direct = {canonicalize_name(Requirement(entry).name) for entry in PROJECT["dependencies"]}
    assert pins.keys() == direct
    versions = locked("3.11", "linux")
    assert {name: f"=={version}" for name, version in pins.items()} == {name: versions[name] for name in direct}


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run(*command, cwd, **environment):
    """Run a command as outside of any `make test`, whose settings it would inherit."""
    settings = {"PYTHON", "ARGS", "JOBS", "TORCH_INDEX", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}
    base = {name: value for name, value in os.environ.items() if name not in settings}
    return subprocess.run(command, cwd=cwd, env={**base, **environment}, capture_output=True, text=True)


class TestFindPython:
    """Against a PATH of make-believe Pythons, which answer the one question they are asked."""

    OLD, SHIM, NEW = "exit 1", "echo 'pyenv: python3: command not found' >&2; exit 127", "exit 0"

    def find(self, tmp_path, pythons, **environment):
        for name, text in pythons.items():
            script(tmp_path / name, text)
        sh = shutil.which("sh")
        return run(sh, str(ROOT / "tools/find_python.sh"), cwd=tmp_path, PATH=str(tmp_path), **environment)

    @pytest.mark.parametrize(
        ("pythons", "chosen"),
        [
            ({"python3": NEW, "python3.13": NEW, "python3.12": NEW}, "python3"),
            ({"python3": OLD, "python3.12": NEW, "python3.11": NEW}, "python3.12"),
            ({"python3": SHIM, "python3.13": SHIM, "python3.11": NEW}, "python3.11"),
        ],
    )
    def test_takes_the_first_that_works(self, tmp_path, pythons, chosen):
        assert self.find(tmp_path, pythons).stdout == f"{chosen}\n"

    def test_none_is_one_clear_error(self, tmp_path):
        done = self.find(tmp_path, {"python3": '[ "$1" = --version ] && echo Python 3.9.2 || exit 1'})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert "needs Python 3.11 or newer; here is Python 3.9.2" in done.stderr

    def test_a_python_named_by_hand_is_the_only_one_tried(self, tmp_path):
        named = script(tmp_path / "my tools" / "python", self.NEW)
        assert self.find(tmp_path, {"python3": self.NEW}, PYTHON=str(named)).stdout == f"{named}\n"
        refused = self.find(tmp_path, {"python3": self.NEW}, PYTHON="python2")
        assert refused.returncode == 1
        assert "PYTHON=python2 is not a working Python" in refused.stderr

    def test_a_real_python_passes(self):
        assert run("sh", "tools/find_python.sh", cwd=ROOT, PYTHON=sys.executable).stdout.strip() == sys.executable


@pytest.fixture
def clone(tmp_path):
    """The set-up files in a folder with a space in its path."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in SETUP_FILES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


@pytest.fixture
def installed(clone):
    """The clone after a `make lab` with a Python that writes down what it is asked to do and does nothing."""
    script(clone / ".venv/bin/python", 'echo "$@" >> calls')
    done = run("make", "lab", cwd=clone, TORCH_INDEX="")
    assert done.returncode == 0, done.stderr
    return clone


def calls(folder):
    """What the make-believe Python was asked since the last time, but for questions about itself."""
    log = folder / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line for line in lines if not line.startswith("-c") and "--version" not in line]


class TestMake:
    def test_help_is_the_default_and_names_every_target(self):
        shown = run("make", cwd=ROOT).stdout
        for target in ("lab", "test", "check", "build", "run", "nightly", "lock"):
            assert re.search(rf"^  make {target}\s+\w", shown, re.MULTILINE)

    def test_the_first_lab_installs_what_a_student_needs_from_the_lock(self, installed):
        upgrade, install, lab = calls(installed)
        assert "--upgrade pip" in upgrade
        assert "--constraint constraints.txt" in install
        assert install.endswith("--editable .")
        assert lab == "-m course_lib.cli lab"

    def test_the_second_time_nothing_is_installed(self, installed):
        calls(installed)
        assert run("make", "lab", cwd=installed).returncode == 0
        assert calls(installed) == ["-m course_lib.cli lab"]

    @pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
    def test_a_changed_dependency_is_installed(self, installed, changed):
        calls(installed)
        later = (installed / ".venv/.lab-installed").stat().st_mtime + 5
        os.utime(installed / changed, (later, later))
        run("make", "lab", cwd=installed)
        assert any("--editable" in call for call in calls(installed))

    def test_a_moved_folder_is_installed_anew(self, installed):
        moved = installed.rename(installed.with_name("elsewhere"))
        calls(moved)
        run("make", "lab", cwd=moved)
        assert any("--editable" in call for call in calls(moved))

    def test_tests_need_the_test_tools_and_lab_is_then_installed_too(self, installed):
        calls(installed)
        run("make", "test", "ARGS=tests/test_cli.py", cwd=installed)
        _, install, test = calls(installed)
        assert install.endswith("--editable .[test]")
        assert test == "-m course_lib.cli test --jobs 0 tests/test_cli.py"
        run("make", "lab", cwd=installed)
        assert calls(installed) == ["-m course_lib.cli lab"]

    def test_options_reach_the_command(self, installed):
        calls(installed)
        run("make", "run", "ARGS=1a --profile full", "JOBS=3", cwd=installed)
        assert calls(installed) == ["-m course_lib.cli run --jobs 3 1a --profile full"]

    @pytest.mark.parametrize(
        ("given", "index"), [("", None), ("https://example.org/whl", "--extra-index-url https://example.org/whl")]
    )
    def test_where_torch_comes_from_can_be_said(self, installed, given, index):
        calls(installed)
        (installed / ".venv/.lab-installed").unlink()
        run("make", "lab", f"TORCH_INDEX={given}", cwd=installed)
        install = next(call for call in calls(installed) if "--editable" in call)
        assert (index in install) if index else ("--extra-index-url" not in install)

    def test_without_a_network_it_fails_clearly_and_leaves_no_stamp(self, clone):
        nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "TORCH_INDEX": ""}
        done = run("make", "lab", cwd=clone, PYTHON=sys.executable, **nowhere)
        assert done.returncode == 2
        assert "The packages could not be installed" in done.stderr
        assert "Is there a network?" in done.stderr
        assert not list((clone / ".venv").glob(".*-installed"))

    def test_without_a_python_it_fails_clearly(self, clone):
        done = run("make", "lab", cwd=clone, PYTHON="/nonexistent/python")
        assert done.returncode == 2
        assert "PYTHON=/nonexistent/python is not a working Python 3.11 or newer" in done.stderr
        assert not (clone / ".venv").exists()


class TestContinuousIntegration:
    @pytest.mark.parametrize("workflow", ["ci.yml", "nightly.yml"])
    def test_workflows_call_make_targets_that_exist(self, workflow):
        text = (ROOT / ".github/workflows" / workflow).read_text()
        targets = re.findall(r"run: (?:.* && )?make (\w+)", text)
        assert targets
        assert set(targets) <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    @pytest.mark.parametrize(
        ("code", "line"),
        [(0, "7 passed, 0 failed"), (1, "6 passed, 1 failed"), (0, "6513 passed, 0 failed, 118 skipped")],
    )
    def test_ci_run_calls_make_test_and_ends_with_its_closing_line(self, tmp_path, code, line):
        (tmp_path / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
        for name in ("bwrap", "g++", "chromium"):
            script(tmp_path / "bin" / name, "exit 0")
        script(
            tmp_path / "bin/make",
            f'echo "$@" > asked; echo "1 passed, 0 failed in 3 s"; echo "{line}"; '
            f'[ {code} = 0 ] || echo "make: Error" >&2; exit {code}',
        )
        done = run(str(tmp_path / ".ci/run"), cwd=tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        assert done.returncode == code
        assert done.stdout.splitlines()[-1] == line
        assert (tmp_path / "asked").read_text() == "test\n"
