import dataclasses

import pytest
import torch

from course_lib import data, training
from course_lib.training import recipes


@pytest.fixture
def short(monkeypatch):
    """The real recipe of shapes_resnet on a tenth of the images, and no shipped file to compare with."""
    recipe = dataclasses.replace(
        recipes._RECIPES["shapes_resnet"], splits=lambda: data.shapes(train=250, test=250), arguments={"width": 4}
    )
    monkeypatch.setitem(recipes._RECIPES, "short", recipe)


@pytest.fixture
def shipped(monkeypatch):
    """Pretends that these entries came with the course."""
    entries = {}
    monkeypatch.setattr(recipes, "entries", lambda: entries)
    return entries


def test_same_bits_twice_and_the_file_loads(short, shipped, tmp_path):
    torch.manual_seed(1)
    first = training.reproduce("short", tmp_path / "a", progress=False)
    assert (first["shipped_sha256"], first["shipped_accuracy"], first["same_bits"]) == (None, None, False)
    assert first["agrees"] and first["seconds"] > 0

    shipped["short"] = training.entries(tmp_path / "a")["short"]
    torch.manual_seed(2)
    second = training.reproduce("short", str(tmp_path / "b"), progress=False)
    assert second["same_bits"] and second["agrees"]
    assert second["sha256"] == first["sha256"] == shipped["short"].sha256
    assert second["path"] == tmp_path / "b" / "short.safetensors"

    model = training.load("short", tmp_path / "b")
    found = training.evaluate(model, data.shapes(train=0, test=250).test)
    assert found.accuracy == second["accuracy"]


@pytest.mark.parametrize(("gap", "agrees"), [(0.024, True), (-0.024, True), (0.026, False), (-0.026, False)])
def test_other_bits_agree_within_the_tolerance(short, shipped, tmp_path, monkeypatch, gap, agrees):
    monkeypatch.setattr(recipes, "evaluate", lambda *_: training.Evaluation(0.3, 0.9))
    monkeypatch.setattr(recipes, "fit", lambda *_, **__: None)
    shipped["short"] = training.Checkpoint("small_resnet", {}, "", "", 0, 1, accuracy=0.9 + gap, sha256="0")
    result = training.reproduce("short", tmp_path, progress=False)
    assert (result["same_bits"], result["agrees"]) == (False, agrees)


def test_threads_and_random_stream_come_back(short, shipped, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(recipes, "fit", lambda *_, **__: seen.append(torch.get_num_threads()))
    monkeypatch.setattr(recipes, "evaluate", lambda *_: training.Evaluation(0.3, 0.9))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(5)
        expected = torch.rand(2)
        torch.manual_seed(5)
        training.reproduce("short", tmp_path, progress=False)
        assert torch.equal(torch.rand(2), expected)
        assert torch.get_num_threads() == 2 and seen == [1]
    finally:
        torch.set_num_threads(threads)


def test_an_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(ValueError, match="no recipe for 'huge'; there are: shapes_resnet"):
        training.reproduce("huge", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", training.recipe_names())
def test_reproduces_what_is_shipped(name, tmp_path):
    result = training.reproduce(name, tmp_path, progress=False)
    assert result["agrees"], result
