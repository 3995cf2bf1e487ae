from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models

SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=5)


@given(SIZES, st.integers(1, 4))
def test_output_by_matrix_products(sizes, samples):
    model = models.MLP(sizes, activation=nn.Tanh)
    x = torch.randn(samples, sizes[0])
    expected = x
    parameters = list(model.parameters())
    for index, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        expected = torch.einsum("ni,oi->no", expected, weight) + bias
        if index < len(sizes) - 2:
            expected = expected.tanh()
    torch.testing.assert_close(model(x), expected)


@given(SIZES)
def test_costs_by_closed_forms(sizes):
    counts = measure.count(models.MLP(sizes), torch.zeros(1, sizes[0]))
    products = sum(a * b for a, b in pairwise(sizes))
    assert (counts.macs, counts.parameters) == (products, products + sum(sizes[1:]))


def test_lenet_300_100_has_its_published_size():
    """LeCun et al. (1998) and Han et al. (2015, table 1) give 267K; exactly, 266,610."""
    counts = measure.count(models.MLP([784, 300, 100, 10]), torch.zeros(1, 1, 28, 28))
    assert counts.parameters == 266_610
    assert counts.macs == 266_200


def test_pictures_are_flattened():
    model = models.MLP([12, 3])
    picture = torch.randn(2, 1, 3, 4)
    assert torch.equal(model(picture), model(picture.reshape(2, 12)))


def test_no_activation_after_the_last_layer():
    model = models.MLP([4, 4, 4])
    assert [type(layer) for layer in model.layers] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, -1, 2]])
def test_sizes_that_make_no_network(sizes):
    with pytest.raises(ValueError, match="at least an input and an output size"):
        models.MLP(sizes)


def test_an_input_of_another_size_is_named():
    with pytest.raises(ValueError, match="takes 64 values per sample, not 784"):
        models.MLP([64, 10])(torch.zeros(1, 28, 28))
