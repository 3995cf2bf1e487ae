import pytest
import torch

from course_lib import models


@pytest.mark.parametrize("name", models.names())
def test_builds_what_the_package_exports_under_that_name(name):
    arguments = {"sizes": [4, 2]} if name == "MLP" else {}
    with torch.device("meta"):  # shapes without memory: some have 100 million parameters
        model = models.build(name, **arguments)
        made = getattr(models, name)(**arguments)
    assert type(model) is type(made)
    assert [p.shape for p in model.parameters()] == [p.shape for p in made.parameters()]


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"no model 'resnet19'; there are MLP, .*resnet18.*small_resnet"):
        models.build("resnet19")


def test_all_is_complete():
    assert set(models.names()) <= set(models.__all__)
    assert all(hasattr(models, name) for name in models.__all__)
