from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from course_lib import notebook


def test_seeds_every_stream(capsys):
    draws = []
    for _ in range(2):
        notebook.start("n", seed=3, device="cpu")
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002 - the stream under test
    assert draws[0] == draws[1]
    notebook.start("n", seed=4, device="cpu")
    assert torch.rand(1).item() != draws[0][2]


def test_says_what_it_runs_on(capsys):
    nb = notebook.start("1a_x", device="cpu")
    line = capsys.readouterr().out
    assert line.startswith("1a_x, profile fast, on ") and nb.hardware in line and f"torch {torch.__version__}" in line
    assert " core" in nb.hardware


def test_profile_chooses_settings():
    assert notebook.start("n").pick(fast=1, full=2) == 1
    assert notebook.start("n", profile="full").pick(fast=1, full=2) == 2


def test_generators_are_repeatable_and_differ_by_offset():
    nb = notebook.start("n", seed=1)
    first, again, other = (torch.rand(3, generator=nb.generator(offset)) for offset in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_refuses_unknown_profile():
    with pytest.raises(ValueError, match='"fast" or "full", not \'slow\''):
        notebook.start("n", profile="slow")


def test_refuses_unknown_device():
    with pytest.raises(ValueError, match='"auto", "cpu" or "cuda", not \'toaster\''):
        notebook.start("n", device="toaster")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_refuses_a_gpu_that_is_not_there():
    with pytest.raises(ValueError, match='use device="auto"'):
        notebook.start("n", device="cuda")
    assert notebook.start("n", device="auto").device.type == "cpu"


@pytest.mark.parametrize("absent", ["meta", "xla", "cuda:99"])
def test_refuses_a_device_that_holds_no_numbers_here(absent):
    with pytest.raises(ValueError, match=f'device="{absent}" was asked for.*use device="auto"'):
        notebook.start("n", device=absent)


def test_counts_the_cores_it_may_use(monkeypatch):
    monkeypatch.setattr(notebook.machine, "usable_cores", lambda: 1)
    assert notebook.describe_hardware().endswith(", 1 core")
