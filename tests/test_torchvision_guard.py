"""torchvision imports beside any torch build, and nothing is declared where its compiled part loads."""

from __future__ import annotations

import subprocess
import sys


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pythons_parts_import_and_work():
    code = """
import course_lib, torch
import torchvision
from torchvision import datasets, models, transforms
from torchvision.transforms import v2
print(sum(p.numel() for p in models.resnet18().parameters()), v2.functional.horizontal_flip(torch.eye(2)).tolist())
"""
    assert run_python(code) == "11689512 [[0.0, 1.0], [1.0, 0.0]]"


def test_guard_steps_aside_after_the_first_import():
    code = """
import sys, course_lib
guards = lambda: [f for f in sys.meta_path if type(f).__module__ == "course_lib.torchvision_guard"]
print(len(guards())); import torchvision; print(len(guards()))
course_lib.torchvision_guard.install(); print(len(guards()))
"""
    assert run_python(code).split() == ["1", "0", "0"]


def test_nothing_is_declared_where_the_extension_loads():
    code = """
from course_lib import torchvision_guard as guard
guard._extension_loads = lambda package: True
guard._declare_missing_operators()
print(guard._declared)
"""
    assert run_python(code) == "[]"


def test_a_missing_operator_still_says_so_when_called():
    code = """
import course_lib, torch, torchvision
from course_lib.torchvision_guard import _declared
if _declared:
    try:
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (NotImplementedError, RuntimeError) as error:
        print("nms" in str(error))
else:
    print(True)
"""
    assert run_python(code) == "True"


def test_without_torchvision_nothing_happens():
    code = """
import sys, importlib.util
from course_lib import torchvision_guard as guard
importlib.util.find_spec = lambda name: None
guard._declare_missing_operators()
print("torch" in sys.modules)
"""
    assert run_python(code) == "False"
