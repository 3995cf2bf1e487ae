import io

import matplotlib.image
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import explore
from course_lib.explore.attention_maps import (
    chosen_map,
    draw_over_image,
    draw_over_tokens,
    grid_of,
    stacked,
)

PNG = b"\x89PNG\r\n"


def random_weights(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).softmax(-1)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_layers_and_heads_are_found(layers, heads, queries, keys):
    weights = random_weights(layers, heads, queries, keys)
    for given_ in (weights, weights.numpy(), list(weights), [layer.tolist() for layer in weights]):
        found = stacked(given_)
        assert len(found) == layers
        for layer in range(layers):
            np.testing.assert_allclose(chosen_map(found, layer, None), weights[layer].mean(0), rtol=1e-6)
            for head in range(heads):
                np.testing.assert_allclose(chosen_map(found, layer, head), weights[layer, head], rtol=1e-6)


def test_one_layer_and_one_head_need_no_brackets():
    weights = random_weights(2, 3, 4, 4)
    assert [layer.shape for layer in stacked(weights[0])] == [(3, 4, 4)]
    assert [layer.shape for layer in stacked(weights[0, 0])] == [(1, 4, 4)]
    assert [layer.shape for layer in stacked([weights[0], weights[0, :1]])] == [(3, 4, 4), (1, 4, 4)]


def test_weights_that_need_gradients_are_taken():
    assert stacked(torch.ones(1, 1, 2, 2, requires_grad=True))[0].shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(3), r"shapes are \[\[3\]\]"),
        (np.ones((1, 1, 1, 2, 2)), r"\[layers, heads, queries, keys\] of one example"),
        ([], "shapes are"),
        ([np.ones((1, 2, 2)), np.ones((1, 3, 3))], "same tokens"),
        (np.full((1, 2, 2), -1.0), "after the softmax"),
        (np.full((1, 2, 2), np.nan), "after the softmax"),
    ],
)
def test_other_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        stacked(weights)


@pytest.mark.parametrize(
    ("tokens", "height", "width", "expected"),
    [
        (197, 224, 224, (14, 14, 1)),
        (196, 224, 224, (14, 14, 0)),
        (65, 32, 32, (8, 8, 1)),
        (16, 8, 8, (4, 4, 0)),
        (18, 32, 32, (4, 4, 2)),
        (8, 16, 32, (2, 4, 0)),
        (198, 224, 224, (14, 14, 2)),
        (1, 8, 8, (1, 1, 0)),
    ],
)
def test_the_grid_of_patches(tokens, height, width, expected):
    assert grid_of(tokens, height, width) == expected


def test_tokens_that_tile_nothing_are_refused():
    with pytest.raises(ValueError, match="do not tile an image of 7 x 7"):
        grid_of(40, 7, 7)


def read(png):
    return matplotlib.image.imread(io.BytesIO(png))


def test_weights_are_drawn_where_their_patches_are():
    """Two pictures that differ in what one token looks at differ in these two patches and nowhere else."""

    def picture(row, column):
        weights = np.zeros((17, 17))
        weights[5, 1 + 4 * row + column] = 1.0
        return read(draw_over_image(weights, np.zeros((8, 8)), 5, (4, 4, 1)))[..., :3]

    differs = np.abs(picture(0, 0) - picture(3, 3)).sum(axis=2) > 0.1
    rows, columns = np.nonzero(differs)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert height / width == pytest.approx(1, rel=0.03)
    assert differs.sum() / (height * width) == pytest.approx(2 / 16, rel=0.05)
    assert differs[rows.min() + 5, columns.min() + 5] and differs[rows.max() - 5, columns.max() - 5]


@pytest.mark.parametrize("tokens", [3, 30, 90])
def test_maps_over_tokens_of_any_number(tokens):
    png = draw_over_tokens(random_weights(tokens, tokens), [f"$token_{n}\n" for n in range(tokens)], tokens - 1)
    assert png.startswith(PNG) and len(png) < 200_000


def test_queries_may_be_the_last_tokens():
    weights = random_weights(1, 2, 2, 5)
    named, view = controls(explore.attention_maps(weights, list("abcde")))
    assert [name for name, _ in named["query"].options] == ["3: d", "4: e"]
    assert bytes(view.value).startswith(PNG)


def test_all_zero_weights_can_be_drawn():
    assert draw_over_tokens(np.zeros((2, 2)), ["a", "b"], 0).startswith(PNG)
    assert draw_over_image(np.zeros((4, 4)), np.zeros((4, 4)), 0, (2, 2, 0)).startswith(PNG)


def controls(box):
    bar, query, view = box.children
    return {control.description: control for control in (*bar.children, query)}, view


@pytest.mark.parametrize(
    "image", [None, torch.rand(3, 8, 8), torch.rand(1, 8, 8), np.random.default_rng(0).random((8, 8))]
)
def test_every_control_redraws_the_view(image):
    weights = random_weights(3, 2, 17, 17)
    tokens = [f"t{n}" for n in range(17)]
    named, view = controls(explore.attention_maps(weights, tokens if image is None else image))
    assert (named["layer"].max, len(named["head"].options), len(named["query"].options)) == (2, 3, 17)
    seen = {bytes(view.value)}
    for name, value in (("layer", 2), ("head", 1), ("query", 3), ("query", 0), ("head", "mean of all")):
        named[name].value = value
        assert bytes(view.value).startswith(PNG)
        assert bytes(view.value) not in seen, f"{name} = {value} drew nothing new"
        seen.add(bytes(view.value))


def test_layers_may_have_different_numbers_of_heads():
    named, _ = controls(explore.attention_maps([random_weights(4, 3, 3), random_weights(2, 3, 3)], list("abc")))
    named["head"].value = 3
    named["layer"].value = 1
    assert len(named["head"].options) == 3 and named["head"].value == "mean of all"


@pytest.mark.parametrize(
    ("weights", "over", "options", "words"),
    [
        (random_weights(1, 2, 3, 3), ["a"], {}, "1 tokens and weights of 3 queries and 3 keys"),
        (random_weights(1, 2, 4, 3), list("abc"), {}, "no more queries than keys"),
        (random_weights(1, 2, 4, 5), torch.zeros(8, 8), {}, "4 queries and 5 keys"),
        (random_weights(1, 2, 4, 4), torch.zeros(2, 8, 8), {}, r"not \[2, 8, 8\]"),
        (random_weights(1, 2, 4, 4), torch.zeros(8, 8), {"grid": (2, 3)}, "2 x 3 patches needs more tokens than the 4"),
    ],
)
def test_sizes_that_do_not_belong_together_are_refused(weights, over, options, words):
    with pytest.raises(ValueError, match=words):
        explore.attention_maps(weights, over, **options)


def test_a_given_grid_is_used():
    named, _ = controls(explore.attention_maps(random_weights(1, 1, 9, 9), torch.zeros(8, 8), grid=(2, 4)))
    assert [name for name, _ in named["query"].options][:3] == ["extra token 0", "row 0, column 0", "row 0, column 1"]
    assert named["query"].options[-1][0] == "row 1, column 3"
