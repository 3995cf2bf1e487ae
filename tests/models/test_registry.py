import inspect
import sys

import pytest
import torch

from course_lib import models
from course_lib.models.registry import architecture


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


def test_the_package_offers_every_architecture_and_no_file():
    assert set(models.names()) <= set(models.__all__)
    assert not any(inspect.ismodule(getattr(models, name)) for name in models.__all__)


def test_every_architecture_is_offered_by_its_own_family():
    for name in models.names():
        family = sys.modules[getattr(models, name).__module__]
        assert name in family.__all__, f"{family.__name__} does not list {name} in its __all__"


def test_every_file_s_small_and_published_networks_are_architectures():
    makers = {name for name in models.__all__ if name.startswith("small_")}
    assert makers and makers <= set(models.names())


def test_one_name_is_one_architecture():
    with pytest.raises(ValueError, match="two architectures are called resnet18"):

        @architecture
        def resnet18():
            """Another."""
