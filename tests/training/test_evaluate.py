import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import models, training
from course_lib.data import Labelled


def scenes(n, classes=3):
    generator = torch.Generator().manual_seed(n)
    images = torch.randn(n, 1, 2, 2, generator=generator)
    return Labelled(images, torch.randint(classes, (n,), generator=generator), tuple("abc"))


@given(st.integers(1, 30), st.integers(1, 40))
def test_by_the_definitions_whatever_the_batch_size(n, batch_size):
    model, labelled = models.MLP([4, 3]), scenes(n)
    loss, correct = 0.0, 0
    for image, label in zip(labelled.images, labelled.labels.tolist(), strict=True):
        scores = model(image[None])[0].tolist()
        loss -= math.log(math.exp(scores[label]) / sum(map(math.exp, scores)))
        correct += max(scores) == scores[label]
    found = training.evaluate(model, labelled, batch_size=batch_size)
    assert found.loss == pytest.approx(loss / n, rel=1e-5)
    assert found.accuracy == correct / n


def test_uses_evaluation_mode_and_gives_back_each_modules_own():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 3))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (training.evaluate(model, scenes(20)) for _ in range(2))
    assert first == second
    assert [module.training for module in model] == [True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_modes_come_back_after_an_error():
    model = models.MLP([5, 3])
    with pytest.raises(ValueError, match="takes 5 values"):
        training.evaluate(model, scenes(4))
    assert model.training


def test_no_images():
    with pytest.raises(ValueError, match="at least one image"):
        training.evaluate(models.MLP([4, 3]), scenes(4).take(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_images_follow_the_model():
    model, labelled = models.MLP([4, 3]), scenes(10)
    here = training.evaluate(model, labelled)
    there = training.evaluate(model.cuda(), labelled)
    assert there.accuracy == here.accuracy and there.loss == pytest.approx(here.loss, rel=1e-4)
